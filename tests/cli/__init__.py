"""The command: its plans, output and exit status."""
