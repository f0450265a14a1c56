"""Lambda's runtime interface client on a clock that runs faster than the real one.

A function's worker runs this file with its own Python, without this project, so it only imports the
standard library. Handlers that use the ``time`` module see the local AWS's time; TLS, sockets and
``datetime`` use real time, so that certificates stay valid and requests are signed with the real
date.

python scaled_runtime.py ORIGIN SCALE HANDLER
"""

from __future__ import annotations

import importlib
import runpy
import sys
import time
from pathlib import Path
from typing import Any, TypeAlias

PassedOn: TypeAlias = Any  # Arguments that are only passed on.


def main() -> None:
    """Change the clock, then run the client like ``python -m awslambdaric HANDLER``."""
    origin, scale, handler = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    sys.path[0] = str(Path.cwd())
    sys.argv = ["awslambdaric", handler]
    scale_time(origin, scale)
    _scale_deadlines(origin, scale)
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


def scale_time(origin: float, scale: float) -> None:
    """Let the ``time`` module tell and spend the local AWS's time."""
    real_time, real_sleep, real_monotonic = time.time, time.sleep, time.monotonic
    time.time = lambda: origin + (real_time() - origin) * scale
    time.monotonic = lambda: real_monotonic() * scale
    time.sleep = lambda seconds: real_sleep(float(seconds) / scale)


def _scale_deadlines(origin: float, scale: float) -> None:
    """Convert the deadline of an invocation, which Lambda sets in real time, to scaled time."""
    context: Any = importlib.import_module("awslambdaric.lambda_context").LambdaContext
    initialise = context.__init__

    def initialise_scaled(
        self: object,
        invoke_id: str,
        client: object,
        identity: object,
        deadline_ms: int,
        *rest: PassedOn,
    ) -> None:
        scaled = (origin + (deadline_ms / 1000 - origin) * scale) * 1000
        initialise(self, invoke_id, client, identity, int(scaled), *rest)

    context.__init__ = initialise_scaled


if __name__ == "__main__":
    main()
