"""The tests. Nothing outside this folder imports from it."""
