"""Starts the local AWS and prints the environment variables for a shell.

python -m local_aws [--stop-seconds 10] [--minute-seconds 60] [--clock-scale 1] [--port 0]
                    [--shadow-test NAME ... [--requests 0] [--latency-ms 50 50]]
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading

from local_aws.environment import ROOT
from local_aws.server import LocalAws
from local_aws.shadow_test import (
    TRAFFIC_HOURS,
    add_traffic_options,
    create_shadow_tests,
    traffic_of,
)


def main(arguments: list[str] | None = None) -> int:
    """Start, print, and run until Ctrl-C or SIGTERM."""
    options = _options(arguments)
    ended = threading.Event()

    def end(*_: object) -> None:
        # Python ignores an exception that reaches it in a finalizer: then the wait below ends.
        ended.set()
        raise KeyboardInterrupt

    # SIGTERM is handled like Ctrl-C, so that nothing is left running; a background job of a shell
    # would ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        with LocalAws(
            port=options.port,
            stop_seconds=options.stop_seconds,
            minute_seconds=options.minute_seconds,
            clock_scale=options.clock_scale,
        ) as aws:
            _print_usage(aws, options)
            if options.shadow_test:
                for arn in create_shadow_tests(aws.client("sagemaker"), options.shadow_test):
                    if variants := traffic_of(options):
                        aws.traffic(arn.rpartition("/")[2], hours=TRAFFIC_HOURS, **variants)
                    print(f"# running: {arn}", flush=True)
            ended.wait()
    except KeyboardInterrupt:
        pass
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: {sys.executable} has no module '{error.name}': run 'make environments', and "
            f"start the local AWS with '.venv/bin/python -m local_aws' in {ROOT}"
        )
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
    print("# the local AWS and everything it started have ended", file=sys.stderr)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local_aws",
        description="A local AWS with SageMaker's inference experiments, until Ctrl-C.",
    )
    parser.add_argument(
        "--stop-seconds",
        type=float,
        default=10.0,
        help="how long a stop takes; minutes on AWS (default: 10)",
    )
    parser.add_argument(
        "--minute-seconds",
        type=float,
        default=60.0,
        help="how long EventBridge's minute is (default: 60, real time)",
    )
    parser.add_argument(
        "--clock-scale",
        type=float,
        default=1.0,
        help="how many seconds pass here in a real one (default: 1)",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the loopback port (default: 0, a free one)"
    )
    parser.add_argument(
        "--shadow-test",
        metavar="NAME",
        nargs="+",
        help="also create shadow tests, each with an endpoint of its name",
    )
    add_traffic_options(parser)
    return parser.parse_args(arguments)


def _print_usage(aws: LocalAws, options: argparse.Namespace) -> None:
    print("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for name, value in aws.environment().items():
        # A folder of the local AWS comes before those of the shell.
        rest = '"${PYTHONPATH:+:$PYTHONPATH}"' if name == "PYTHONPATH" else ""
        print(f"export {name}={shlex.quote(value)}{rest}")
    # Works in any folder and with any Python of the other shell.
    python = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable])
    print("# Paste the lines above into another shell. There, this command creates another")
    print("# shadow test with its own endpoint each time (or several, if you append their names):")
    # Its tests have the same traffic.
    traffic = ["--requests", f"{options.requests:g}", "--latency-ms"]
    traffic += [f"{latency:g}" for latency in options.latency_ms]
    same = f" {shlex.join(traffic)} --" if options.requests else ""
    print(f"#   {python} -m local_aws.shadow_test{same}")
    print("# Ctrl-C ends the local AWS and everything it started.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
