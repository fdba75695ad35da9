"""A reverse proxy that gives the site a path of its host, as nginx and Caddy do, and has nothing else there."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@contextmanager
def proxied(site: httpx.Client, path: str, *, takes_off: bool) -> Iterator[httpx.Client]:
    """A client of a proxy in front of `site`, which takes the path off, or passes it on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith(path + "/"):
                self.send_error(404, "another site")
                return
            upstream = http.client.HTTPConnection(site.base_url.host, site.base_url.port or 80)
            asked = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            upstream.request("GET", self.path[len(path) :] if takes_off else self.path, headers=asked)
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            upstream.close()
            with suppress(BrokenPipeError):  # a browser that went on to another page
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", timeout=60) as client:
        yield client
    server.shutdown()
    server.server_close()
