"""The real transport: an HTTPS server on 127.0.0.1, with real sockets and verified certificates.

It is slower than the other one by an order of magnitude, so only a few tests use it: for TLS, for
socket timeouts, and for what only bytes on the wire can show.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import trustme

from .aws import Aws, TimedOut, Unreachable
from .wire import HttpRequest

LONGEST_HANG_SECONDS = 5.0


class LoopbackServer:
    """Serves one world at a time.

    Attributes:
        host: With the port, as in a ResponseURL.
    """

    def __init__(self, folder: Path) -> None:
        self._aws: Aws | None = None
        authority = trustme.CA()
        self._bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self._bundle))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.host = f"localhost:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def connect(self, aws: Aws) -> Iterator[None]:
        """Let boto3 and urllib3 use a world through this server."""
        self._aws = aws
        variables = {
            "AWS_ENDPOINT_URL": f"https://{self.host}",
            "AWS_CA_BUNDLE": str(self._bundle),
            "SSL_CERT_FILE": str(self._bundle),
        }
        with mock.patch.dict(os.environ, variables):
            yield

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = HttpRequest(self.command, self.path, headers, body)
                assert server._aws is not None
                try:
                    answer = server._aws.respond(request)
                except TimedOut:
                    self._hang()
                except Unreachable:
                    self._reset()
                else:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - http.server's names

            def _hang(self) -> None:
                """Do not answer until the client gives up."""
                self.close_connection = True
                self.connection.settimeout(LONGEST_HANG_SECONDS)
                with contextlib.suppress(OSError):
                    self.connection.recv(1)

            def _reset(self) -> None:
                self.close_connection = True
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

            def log_message(self, *_: object) -> None:
                """Log nothing: the journal has it."""

        return Handler
