"""Logs: one line an event to stderr, for people on a terminal and as JSON elsewhere; never a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from alerts.masking import masked
from monitor.tracebacks import mask_tracebacks


def _redact(_logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401 structlog's own signature
    """Mask credentials in the finished line, tracebacks included."""
    return masked(event) if isinstance(event, str) else event


def configure(*, json_lines: bool | None = None, level: int = logging.INFO) -> None:
    """Send every log of this process to stderr; JSON lines unless stderr is a terminal, or as told."""
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
    # These tell of every request or every tick; what went wrong they tell as warnings.
    for chatty in ("apscheduler", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
