"""Plans of random histories, each executed on the local AWS and compared with what happened."""
