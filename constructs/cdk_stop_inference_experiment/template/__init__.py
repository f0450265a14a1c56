"""What becomes of the props in the template."""
