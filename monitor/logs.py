"""Logs: one line an event to stderr, for people on a terminal and as JSON elsewhere; never a secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alerts.masking import masked
from monitor.tracebacks import mask_tracebacks


def _redact(_logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401 structlog's own signature
    """Mask credentials in the finished line, tracebacks included."""
    return masked(event) if isinstance(event, str) else event


@contextmanager
def _without_rich() -> Iterator[None]:
    """Let nothing import rich within the block, unless it is here already: structlog would, to draw tracebacks for
    terminals, and it takes longer than all else that a job logs with.
    """
    missing = "rich" not in sys.modules
    if missing:
        sys.modules["rich"] = None  # type: ignore[assignment]  # it is not to be had
    try:
        yield
    finally:
        if missing:
            del sys.modules["rich"]


def configure(*, json_lines: bool | None = None, level: int = logging.INFO) -> None:
    """Send every log of this process to stderr; JSON lines unless stderr is a terminal, or as told."""
    with _without_rich():
        import structlog  # noqa: PLC0415 as said above
    mask_tracebacks()
    json_lines = not sys.stderr.isatty() if json_lines is None else json_lines
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([structlog.processors.format_exc_info] if json_lines else []),
            renderer,
            _redact,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # These tell of every request; what went wrong they tell as warnings.
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # This one warns of each tick on which a job is still at work, or waits for another to be done: that is no fault.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
