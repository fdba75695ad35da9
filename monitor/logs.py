"""Logs: one line an event to stderr, for people on a terminal and as JSON elsewhere; never a secret."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog

_SECRETS = re.compile(
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows)/[^\s\"']+"
    r"|xox[abeprs]-[\w-]+"
    r"|hf_[A-Za-z0-9]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:bearer)\s+[\w.~+/=-]+"
)


def redacted(text: str) -> str:
    """The text with everything that looks like a credential masked."""
    return _SECRETS.sub("[secret]", text)


def _redact(_logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401 structlog's own signature
    """Mask credentials in the finished line, tracebacks included."""
    return redacted(event) if isinstance(event, str) else event


def mask_tracebacks() -> None:
    """Let what nobody caught be printed as ever, but without credentials: an error's text may quote one."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = show


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
