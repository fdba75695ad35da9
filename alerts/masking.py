"""Secrets taken out of whatever is about to be printed: those that were read, and all that look like one.

The last line of defence, for the text of an error that nobody foresaw; who quotes a stranger masks it at the door.
"""

from __future__ import annotations

import re

_SHAPES = re.compile(
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows)/[^\s\"']+"
    r"|xox[abeprs]-[\w-]+"
    r"|hf_[A-Za-z0-9]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:bearer)\s+[\w.~+/=-]+"
)

_LEAST, _PART = 6, 12
"""Characters from which on a secret, and a part of a secret URL, is masked: shorter ones are words like any other."""

_known: set[str] = set()
"""What this process has read from the places where secrets are kept."""


def remember(secret: str) -> None:
    """Mask this secret from now on; of a URL also what is secret in it, which is anything but its host."""
    _known.update(part for part in [secret, *_parts(secret)] if len(part) >= _LEAST)


def masked(text: str) -> str:
    """The text without credentials."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return _SHAPES.sub("[secret]", text)


def _parts(secret: str) -> list[str]:
    if "://" not in secret:
        return []
    authority, _, rest = secret.partition("://")[2].partition("/")
    user, at, _ = authority.rpartition("@")
    return [part for part in re.split(r"[/?&=#:,;]+", f"{user}{at}/{rest}") if len(part) >= _PART]
