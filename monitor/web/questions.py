"""The worked questions, and the relations they are asked of, as they are read by people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from warehouse.queries import queries

PREFIX = "ask_"
"""Begins the name of every worked question in `warehouse/sql/questions.sql`."""


@dataclass(frozen=True, slots=True)
class Question:
    """A worked question: what it asks, and the SQL that answers it."""

    name: str
    sentence: str
    query: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A published relation with its meaning and its columns."""

    name: str
    meaning: str
    columns: list[dict[str, Any]]


def worked() -> list[Question]:
    """Every worked question, in the order of the file."""
    return [_question(name, text) for name, text in queries().items() if name.startswith(PREFIX)]


def _question(name: str, text: str) -> Question:
    head, _, body = text.partition("\n")
    comments = re.match(r"(?:-- .*\n)+", body)
    sentence = " ".join(line.removeprefix("-- ") for line in comments[0].splitlines()) if comments else head
    return Question(name.removeprefix(PREFIX), sentence, body[comments.end() :].strip() if comments else body.strip())


_FIRST = ("standings", "boards", "flips", "families", "models", "observations", "snapshots", "alerts", "deliveries")
"""Relations in the order in which people want them; the others follow by name."""


def relations(described: Iterable[dict[str, Any]]) -> list[Relation]:
    """The published relations, from the rows of `Browsing.described`."""
    found: list[Relation] = []
    for name, rows in groupby(described, key=lambda row: row["relation"]):
        columns = list(rows)
        found.append(Relation(name, columns[0]["meaning"] or "", columns))
    places = {name: place for place, name in enumerate(_FIRST)}
    return sorted(found, key=lambda relation: (places.get(relation.name, len(places)), relation.name))
