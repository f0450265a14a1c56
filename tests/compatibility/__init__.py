"""Upgrades of stacks that a released version has deployed."""
