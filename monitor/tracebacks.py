"""Bugs keep their traceback, but not the credentials that an error's text may quote."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from alerts.masking import masked


def mask_tracebacks() -> None:
    """Let what nobody caught be printed as ever, but without credentials."""
    sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(masked("".join(traceback.format_exception(kind, error, trace))))
