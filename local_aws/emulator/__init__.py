"""The emulator's half of the local AWS, which runs in the emulator's own environment."""
