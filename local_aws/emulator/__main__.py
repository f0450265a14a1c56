"""Serves ministack with our additions on one HTTPS listener, and says on which port.

Started by ``local_aws.server`` with the emulator's own Python. The standard output carries one
line, the port, when requests are accepted; the standard input is held open by the parent, and its
end is how the emulator learns that the parent has died without a word.
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
    """Bind, patch, serve until told to end."""
    options = parse_options()
    lead_own_group(run_folder=options.certificate.parent)
    ready = take_over_stdout()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=256)
    port = listener.getsockname()[1]
    # ministack reads its port from the environment while it is imported.
    os.environ["GATEWAY_PORT"] = str(port)
    asyncio.run(serve(options, listener, lambda: os.write(ready, f"{port}\n".encode())))


def lead_own_group(run_folder: Path) -> None:
    """End with everything started here, on SIGTERM and when the parent is gone.

    Workers are in the same process group, so that ending the group ends them, whatever state
    ministack is in: a thread of it may well be waiting for a custom resource.
    """
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on.

    def watch() -> None:
        while os.read(0, 1024):
            pass
        shutil.rmtree(run_folder, ignore_errors=True)  # The parent cannot any more.
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def take_over_stdout() -> int:
    """Keep the standard output for the port; whatever ministack prints goes to the log."""
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


async def serve(options: Options, listener: socket.socket, on_ready: Callable[[], object]) -> None:
    """Serve the patched ministack on a socket that is bound already."""
    # Here, not above: ministack reads the port from the environment while it is imported, and its
    # names are checked before anything of ours patches them.
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
    # A trigger that never comes keeps hypercorn from taking SIGTERM over: its graceful end waits
    # for requests in flight, and one of those may be waiting for a custom resource.
    await hypercorn_serve(
        assembled(options, on_ready), config, shutdown_trigger=asyncio.Event().wait
    )


if __name__ == "__main__":
    main()
