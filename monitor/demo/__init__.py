"""The main job on recorded real history, offline: a local Hub, the recordings, and the story they tell."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from alerts.channels.base import is_loopback

_FIRST_LINE = "# The demo's configuration"
"""So the bundled configuration begins."""


def hub_is_gone(source: Path | None, endpoint: str) -> str:
    """What to say, behind why a Hub cannot be read, where it was the local one of a demo; else nothing."""
    if source is None or not is_loopback(urlsplit(endpoint).hostname or ""):
        return ""
    with source.open(encoding="utf-8", errors="replace") as file:
        if not file.readline().startswith(_FIRST_LINE):
            return ""
    return (
        "; it was the local Hub of a demo, and ended with it: `leadchange init DIR` begins with the real one elsewhere"
    )
