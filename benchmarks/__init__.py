"""Measures the construct against what a user would pick instead.

``python -m benchmarks`` runs everything and writes ``results.json``, ``RESULTS.md`` and the
figures; ``python -m benchmarks NAME`` runs one benchmark and keeps the results of the others.
Nothing here ran on a real AWS: what is not measured on this machine is simulated, and says so.
"""
