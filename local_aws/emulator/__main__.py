"""Serves ministack with our additions on one HTTPS listener, and prints its port.

``local_aws.server`` starts it with the emulator's own Python. Its standard output has one line, the
port, when it accepts requests. The parent keeps its standard input open; when it is closed, the
emulator knows that the parent has died.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from local_aws.emulator.options import Options, parse_options


def main() -> None:
    """Bind, patch, and serve until SIGTERM."""
    options = parse_options()
    lead_own_group(run_folder=options.certificate.parent)
    ready = take_over_stdout()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=256)
    port = listener.getsockname()[1]
    # ministack reads its port from the environment at import.
    os.environ["GATEWAY_PORT"] = str(port)
    asyncio.run(serve(options, listener, lambda: os.write(ready, f"{port}\n".encode())))


def lead_own_group(run_folder: Path) -> None:
    """End together with everything that was started, on SIGTERM and when the parent has died.

    Workers are in the same process group, so that killing the group ends them, whatever state
    ministack is in: one of its threads may be waiting for a custom resource.
    """
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent handles Ctrl-C.

    def watch() -> None:
        while os.read(0, 1024):
            pass
        shutil.rmtree(run_folder, ignore_errors=True)  # The parent no longer can.
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def take_over_stdout() -> int:
    """Keep the standard output for the port; redirect ministack's output to the log."""
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


async def serve(options: Options, listener: socket.socket, on_ready: Callable[[], object]) -> None:
    """Serve the patched ministack on a bound socket."""
    # Not at the top: ministack reads the port from the environment at import, and its names are
    # checked before we patch them.
    from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415

    from local_aws.emulator.private_names import moved  # noqa: PLC0415

    if problems := moved():
        sys.exit("this ministack is not the pinned one: " + "; ".join(problems))
    from local_aws.emulator.assembly import assembled  # noqa: PLC0415

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile, config.keyfile = str(options.certificate), str(options.key)
    config.keep_alive_timeout = 75
    # A trigger that never fires keeps hypercorn from handling SIGTERM: its graceful shutdown waits
    # for open requests, and one of them may be waiting for a custom resource.
    await hypercorn_serve(
        assembled(options, on_ready), config, shutdown_trigger=asyncio.Event().wait
    )


if __name__ == "__main__":
    main()
