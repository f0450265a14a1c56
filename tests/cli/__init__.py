"""The command: what it plans, prints and exits with."""
