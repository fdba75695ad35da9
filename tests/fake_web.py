"""A web server on this machine that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SILENCE = b"<never answers>"


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case names."""
    body: bytes


Answer = tuple[int, bytes, dict[str, str]]


@dataclass
class FakeWeb:
    """Answers in the order told; then, and unless told anything, as `usual` says."""

    usual: Callable[[Asked], Answer] = lambda _: (200, b"ok", {})
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    greeted: list[str | None] = field(default_factory=list)
    """The host names asked for when a connection was encrypted."""
    port: int = 0
    goodbye: threading.Event = field(default_factory=threading.Event)

    def answer(self, status: int, body: bytes | str = b"", **headers: str) -> None:
        """What to answer next; `SILENCE` as the body takes the request and never answers."""
        said = body.encode() if isinstance(body, str) else body
        self.answers.append((status, said, {name.replace("_", "-"): value for name, value in headers.items()}))


@contextmanager
def running(web: FakeWeb, certificate: Path | None = None) -> Iterator[FakeWeb]:
    """`web`, listening on 127.0.0.1 at `web.port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            web.asked.append(asked)
            status, body, more = web.answers.pop(0) if web.answers else web.usual(asked)
            if body == SILENCE:
                web.goodbye.wait(5)
                return
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            if "Content-Length" not in more:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            context.sni_callback = lambda _, name, __: web.greeted.append(name)  # type: ignore[assignment]
            server.socket = context.wrap_socket(server.socket, server_side=True)
        web.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield web
        web.goodbye.set()
        server.shutdown()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever hangs up early is who is tested, not this."""


def make_certificate(file: Path, host: str) -> Path:
    """A key and a certificate for `host` and this machine that nobody has signed, in one file."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file
