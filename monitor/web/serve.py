"""The dashboard on an address: for the daemon in a thread, for the demo until a signal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import uvicorn

from jobs.schedule import LastRun
from monitor.clock import utc_now
from monitor.config import Settings
from monitor.health import Health
from monitor.web.app import create_app
from monitor.web.operations import Jobs
from monitor.web.published import Published
from warehouse.errors import LeadchangeError

START_SECONDS = 15.0
STOP_SECONDS = 5
"""What the end may take; the last two of them are for what must be broken off."""


def serve(published: Path, host: str = "127.0.0.1", port: int = 8765, *, now: Callable[[], datetime] = utc_now) -> None:
    """Serve a published file until SIGINT or SIGTERM.

    Raises:
        LeadchangeError: the address is taken.
    """
    server = _server(create_app(Published(published), now=now), host, port)
    try:
        server.run()
    except SystemExit:
        raise LeadchangeError(_taken(host, port)) from None


@contextmanager
def serving(
    settings: Settings,
    published: Published,
    *,
    health: Callable[[], Health] | None = None,
    now: Callable[[], datetime] = utc_now,
    last: Callable[[], Mapping[str, LastRun | None]] | None = None,
) -> Iterator[str]:
    """The dashboard of `settings`, in threads of its own within the block; its address.

    With `last`, what is known of the daemon's jobs is among the metrics.

    Raises:
        LeadchangeError: the address is taken.
    """
    web = settings.web
    app = create_app(
        published,
        now=now,
        health=health,
        collectors=(Jobs(last),) if last else (),
        token=web.token,
        public_url=web.public_url or None,
        hosts=(web.host, *web.hosts),
        origins=web.origins,
    )
    server = _server(app, web.host, web.port)
    thread = threading.Thread(target=_run, args=(server,), name="dashboard", daemon=True)
    thread.start()
    try:
        yield _address(server, thread, web.host, web.port)
    finally:
        _leave(server, thread, published)


def _leave(server: uvicorn.Server, thread: threading.Thread, published: Published) -> None:
    """End the server; what visitors still ask when they have had their time is broken off."""
    server.should_exit = True
    thread.join(STOP_SECONDS - 2)
    published.leave(1)
    thread.join(1)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it is not that an address cannot be had: that is said once, as the reason to end."""
    return not isinstance(record.msg, OSError)


def _server(app: object, host: str, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # any ASGI application
        host=host,
        port=port,
        log_config=None,  # to where everything is logged, as everything is: a line an event, without a secret
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=STOP_SECONDS - 2,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    return uvicorn.Server(config)


def _run(server: uvicorn.Server) -> None:
    """Run in a thread; uvicorn ends the process where it cannot listen, which is not for a thread to do."""
    try:
        server.run()
    except SystemExit:
        return


def _address(server: uvicorn.Server, thread: threading.Thread, host: str, port: int) -> str:
    """Where the server listens, once it does."""
    end = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise LeadchangeError(_taken(host, port))
        time.sleep(0.02)
    found = server.servers[0].sockets[0].getsockname()[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{found}/"


def _taken(host: str, port: int) -> str:
    return f"the dashboard cannot listen on {host}:{port}: is another one running? choose another port"
