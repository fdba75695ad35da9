"""Secrets taken out of whatever is about to be printed: those that were read, and all that look like one.

The last line of defence, for the text of an error that nobody foresaw; who quotes a stranger masks it at the door.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

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


def looks_secret(text: str) -> bool:
    """Whether something in the text looks like a credential, known or not."""
    return _SHAPES.search(text) is not None


def masked(text: str) -> str:
    """The text without credentials: what overlaps is masked as one, so that no part of one leaves the rest behind."""
    parts, done = list[str](), 0
    for start, end in _merged(sorted(_spans(text))):
        parts += [text[done:start], "[secret]"]
        done = end
    return "".join([*parts, text[done:]])


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where something secret stands: what was read, and what looks like it."""
    known = re.compile("|".join(map(re.escape, sorted(_known, key=len, reverse=True)))) if _known else None
    for pattern in filter(None, (_SHAPES, known)):
        yield from (found.span() for found in pattern.finditer(text))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _parts(secret: str) -> list[str]:
    if "://" not in secret:
        return []
    authority, _, rest = secret.partition("://")[2].partition("/")
    user, at, _ = authority.rpartition("@")
    return [part for part in re.split(r"[/?&=#:,;]+", f"{user}{at}/{rest}") if len(part) >= _PART]
