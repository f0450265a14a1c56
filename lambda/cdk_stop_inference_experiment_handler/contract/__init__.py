"""What the construct and the function share. Standard library only."""
