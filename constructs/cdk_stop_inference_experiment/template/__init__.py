"""From props to the template."""
