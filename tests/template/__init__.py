"""Synthesised templates: what the construct puts into a user's stack."""
