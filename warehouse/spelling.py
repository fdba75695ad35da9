"""Texts of the configuration that have a form: one that has another is refused in words, not with a pattern."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field


def spelled(pattern: str, words: str) -> AfterValidator:
    """A check of pydantic's that a whole text matches a regular expression; `words` say what it must."""
    form = re.compile(pattern)

    def checked(text: str) -> str:
        if form.fullmatch(text) is None:
            raise ValueError(f"must {words}")
        return text

    return AfterValidator(checked)


Name = Annotated[str, Field(min_length=1, max_length=80), spelled(r"[\w.-]*", "have letters, digits, _, - and . only")]
"""What a board, a rule or a digest may be called: it stands in addresses and on command lines."""
