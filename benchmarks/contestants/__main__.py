"""A CDK app with one stack: ``python -m benchmarks.contestants CONTESTANT COUNT OUTPUT``."""

from __future__ import annotations

import json
import os
import sys

from aws_cdk import App, Stack

from .declaration import UNDECIDED
from .stacks import build, local_node

NODE_VARIABLES = "BENCHMARKS_NODE_VARIABLES"
STACK_NAME = "BENCHMARKS_STACK"
EXPERIMENT = "BENCHMARKS_EXPERIMENT"
REASON = "BENCHMARKS_REASON"


def main() -> None:
    """Synthesise the contestant's stack."""
    contestant, count, output = sys.argv[1:]
    prefix = os.environ.get(EXPERIMENT, "shadow")
    names = [prefix] if count == "1" else [f"{prefix}-{number:03}" for number in range(int(count))]
    app = App(outdir=output, analytics_reporting=False)
    stack = Stack(app, os.environ.get(STACK_NAME, "Stack"))
    build(stack, contestant, names, os.environ.get(REASON, UNDECIDED))
    if variables := os.environ.get(NODE_VARIABLES):
        local_node(stack, json.loads(variables))
    app.synth()


if __name__ == "__main__":
    main()
