"""What the construct and the function agree on. Standard library only."""
