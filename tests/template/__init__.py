"""Synthesised templates: what the construct adds to a user's stack."""
