"""Measures the construct against the alternatives.

``python -m benchmarks`` runs everything and writes ``results.json``, ``RESULTS.md`` and the
figures; ``python -m benchmarks NAME`` runs one benchmark and keeps the results of the others.
Nothing here ran on real AWS: what is not measured on this machine is simulated and marked as such.
"""
