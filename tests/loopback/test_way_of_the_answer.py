"""The answer takes the way that the SDK takes: a proxy, no proxy, and a CA bundle."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loopback.https_server import LoopbackServer
from loopback.world import World


class Proxy:
    """A proxy on 127.0.0.1 that opens tunnels, and remembers to where."""

    def __init__(self) -> None:
        proxy = self
        self.tunnels: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.tunnels.append(self.path)
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port))) as target:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=_pump, args=(target, self.connection))
                    back.start()
                    _pump(self.connection, target)
                    back.join()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackServer]:
    server = LoopbackServer(tmp_path)
    yield server
    server.close()


def _answered(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, **variables: str) -> bool:
    """Whether a Create is answered, with these environment variables."""
    world = World(connect=server.connect, host=server.host)
    world.stack.status = "UPDATE_IN_PROGRESS"
    with world.installed():
        # The bundle is known by the SDK's variable alone.
        monkeypatch.delenv("SSL_CERT_FILE")
        for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        world.experiment("Running")
        asked = world.deliver(world.request("Create"))
        world.run(30)
    return asked.answer is not None and asked.answer["Status"] == "SUCCESS"


def test_an_answer_goes_through_the_proxy_and_trusts_the_bundle(
    server: LoopbackServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _answered(server, monkeypatch, HTTPS_PROXY=proxy.url)
    # Each SDK client opens a tunnel of its own, and the answer opens one more.
    assert len(proxy.tunnels) >= 3
    assert set(proxy.tunnels) == {server.host}


def test_an_answer_goes_past_the_proxy_to_a_host_of_no_proxy(
    server: LoopbackServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _answered(server, monkeypatch, HTTPS_PROXY=proxy.url, NO_PROXY="localhost")
    assert proxy.tunnels == []
