"""How many examples a property is tried on: some in every run, all of them in `make thorough`."""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("THOROUGH"))


def examples(thorough: int, usual: int | None = None) -> int:
    """A third of what a thorough run tries, or fewer where each is dear, when nobody asked for one."""
    return thorough if THOROUGH else usual or max(3, thorough // 3)
