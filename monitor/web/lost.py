"""Flips that somebody was told of and that are not on record any more: an old message still leads to them."""

from __future__ import annotations

import re
from typing import Any

from monitor.web import words
from warehouse.errors import LeadchangeError
from warehouse.published.browsing import Browsing

_FLIP_ID = re.compile("[0-9a-f]{10}")


class GoneError(LeadchangeError):
    """A flip that was told, and taken back or dated otherwise since; says what became of it."""

    def __init__(self, message: str, instead: str | None = None) -> None:
        super().__init__(message)
        self.instead = instead
        """The flip that is on record in its place."""


def known_flip(browsing: Browsing, flip_id: str) -> dict[str, Any]:
    """The flip of this id.

    Raises:
        GoneError: it was told, and taken back or dated otherwise since.
        LeadchangeError: there was none.
    """
    flip = browsing.flip(flip_id)
    if flip is not None:
        return flip
    raise became_of(browsing, flip_id) or LeadchangeError(f"no flip has the id {flip_id!r}; /flips lists them")


def became_of(browsing: Browsing, flip_id: str) -> GoneError | None:
    """What became of a flip that is not on record; None where nobody was ever told of it."""
    told = browsing.lost_flip(flip_id) if _FLIP_ID.fullmatch(flip_id) else None
    if told is None or not (told["corrected_at"] or told["now_id"]):
        return None
    return GoneError(words.taken_back(told), None if told["corrected_at"] else told["now_id"])
