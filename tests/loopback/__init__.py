"""Tests that run the real handler on the loopback AWS: single requests, and every history."""
