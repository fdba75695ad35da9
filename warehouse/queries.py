"""The SQL of this project, by name. No business logic.

A file of `warehouse/sql/` holds queries that belong together; each begins with its name and a sentence:

    -- name: last_complete_day
    -- The last day on which a source was read completely.
    SELECT ...
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HEAD = re.compile(r"^-- name: (\w+)\n((?:-- .*\n)+)", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Every named query of `warehouse/sql/*.sql`; the sentence stays on top as a comment."""
    found: dict[str, str] = {}
    for file in sorted(_folder().glob("*.sql")):
        found |= _split(file.read_text("utf-8"))
    return found


def sql(name: str, **fragments: str) -> str:
    """The query called `name`, its `{slots}` filled with SQL fragments of our own (never with values)."""
    text = queries()[name]
    for slot, fragment in fragments.items():
        text = text.replace("{" + slot + "}", fragment)
    return text


def fragment(name: str) -> str:
    """The query called `name`, to stand within another one."""
    return sql(name).rstrip(";")


def literal(text: str) -> str:
    """A text as SQL, for where a parameter cannot stand."""
    return "'" + text.replace("'", "''") + "'"


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration, in order."""
    folder = _folder() / "migrations"
    return [(int(file.stem[:4]), file.stem[5:], file.read_text("utf-8")) for file in sorted(folder.glob("*.sql"))]


def _folder() -> Path:
    """The SQL beside this file: leadchange ships as an application, always unpacked."""
    return Path(__file__).parent / "sql"


def _split(text: str) -> dict[str, str]:
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head[1]: text[head.start() : end].strip() for head, end in zip(heads, ends, strict=True)}
