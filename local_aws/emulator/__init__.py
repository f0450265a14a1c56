"""The emulator of the local AWS, which runs in its own environment."""
