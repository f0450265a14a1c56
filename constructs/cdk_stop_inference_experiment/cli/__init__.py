"""The command ``stop-inference-experiment``: what a deployment will do to each experiment.

It only reads and prints, and changes nothing. A plan makes the Situations in which the function
will find each request, and decides them by the function's own ``decide()``:

- ``arguments.py``: the command line;
- ``reading.py``: reads from AWS;
- ``templates.py``: what templates say;
- ``operations.py``: the requests that CloudFormation will send in an operation;
- ``situations.py``: the Situations in which the function will find them;
- ``plan.py``: its decisions, and how certain they are;
- ``status.py``: the current state of experiments;
- ``document.py``: what is said about a plan or a status;
- ``printing.py``: text, Markdown and JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

NEEDS = "boto3", "rich", "yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0; 1 for an error; 2 if ``--fail-on`` holds; 3 for no change, if
        ``--fail-on no-change`` asks for it. A wrong argument exits with 64.
    """
    try:
        from .command import run  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        print(
            "error: this command needs boto3, Rich and PyYAML: "
            "run pip install 'cdk-stop-inference-experiment[cli]'",
            file=sys.stderr,
        )
        return 1
    return run(arguments)
