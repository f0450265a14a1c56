"""The command ``stop-inference-experiment``: what a deployment will do to each experiment.

It only reads and prints, and changes nothing. It uses the function's own ``decide()``, with the
facts as they will be when CloudFormation sends the request:

- ``arguments.py``: the command line;
- ``reading.py``: reads from AWS;
- ``operations.py``: the requests that CloudFormation will send in an operation;
- ``facts.py``: the facts that the function will then see;
- ``plan.py``: its decisions, and how certain they are;
- ``status.py``: the current state of experiments;
- ``printing.py``: text and JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

NEEDS = "boto3", "rich"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0; 1 for an error; 2 if ``--fail-on`` matches, or for a wrong argument.
    """
    try:
        from .command import run  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        print(
            "error: this command needs boto3 and Rich: "
            "run 'pip install cdk-stop-inference-experiment[cli]'",
            file=sys.stderr,
        )
        return 1
    return run(arguments)
