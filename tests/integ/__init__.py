"""Histories and observations that run on AWS itself: see ``python -m tests.integ --help``."""
