"""What is written in files that people write: the form of its texts, and in which words it is refused.

Pydantic, which reads these files, speaks of patterns and of Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from warehouse.errors import nearest, shown

_WORDS = {
    "tuple_type": 'write a list: ["...", "..."]',
    "too_short": "at least one entry is needed",
    "string_too_short": "must not be empty",
    "model_type": "write it as one table",
    "path_type": "write a path, in quotes",
}
"""Kind of pydantic's error -> what to write."""


def in_words(mistake: Mapping[str, Any], keys: Iterable[str]) -> str:
    """One of pydantic's errors as a line, without the value, which may be a secret; `keys` are those that may stand."""
    key = ".".join(shown(str(part)) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(mistake['loc'][-1]), keys)}"
    message = _WORDS.get(mistake["type"]) or str(mistake["msg"]).removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}" if key else message


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
