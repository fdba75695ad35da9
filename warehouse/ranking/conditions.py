"""What a board's `where` may say: what is true of a model must follow from what was collected, whenever it is asked.

DuckDB itself says what a condition is made of (its parser's tree) and which of its functions are the same tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from warehouse.db import Database
from warehouse.errors import QueryRefusedError
from warehouse.queries import sql
from warehouse.ranking.boards import Board

FACTS = ("models", "observations", "snapshots", "families")
"""What a condition may look up: what was collected, not what was made of it."""

_UNSAID = frozenset({("age", 1), ("current_setting", 1), ("getvariable", 1)})
"""Functions with their number of arguments that reckon from today or ask a setting, which not every DuckDB says."""

_PLACE = "rowid"
"""Where a row lies in the file, which is another when it is written anew."""

Node = dict[str, Any]


class _Called(NamedTuple):
    """A function as it is used."""

    name: str
    arguments: int


def refuse(db: Database, condition: str) -> None:
    """Check that `condition` is one boolean SQL expression over `models` that only what was collected decides.

    Raises:
        QueryRefusedError: it is none; or asks for chance, the time, a setting, or what is no fact.
    """
    db.refuse_condition(condition, "models")
    nodes = list(_nodes(_parsed(db, sql("with_condition", condition=condition))))
    for node in nodes:
        _refuse_reading(node)
    if moving := _moving(db, nodes, set()):
        raise QueryRefusedError(f"{moving} is another whenever it is asked: a board follows from what was collected")


def refuse_of_models(db: Database, condition: str) -> None:
    """Check that a condition can be told of every model that there is: some texts are no numbers.

    Raises:
        QueryRefusedError: of one it cannot, or it is none.
    """
    db.refuse_reckoning(condition, "models")


def reckoning(db: Database, board: Board) -> AbstractContextManager[None]:
    """Within the block, what the board's condition cannot reckon of a model is refused as a mistake in it."""
    return db.reckoning(f"board {board.name}: where") if board.where else nullcontext()


def _parsed(db: Database, query: str) -> Node:
    tree: Node = json.loads(db.value(sql("syntax_tree"), {"query": query}))
    if tree.get("error"):
        raise QueryRefusedError(f"it cannot be looked through: {tree.get('error_message', '')}")
    return tree


def _nodes(tree: object) -> Iterator[Node]:
    """Every node of a parser's tree."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


def _refuse_reading(node: Node) -> None:
    """Raises QueryRefusedError where a node of the tree takes rows from elsewhere, or some at random."""
    kind = node.get("type")
    if kind == "BASE_TABLE" and node["table_name"].lower() not in FACTS:
        raise QueryRefusedError(f"it reads {node['table_name']!r}: it may look up {', '.join(FACTS)}, and nothing else")
    if kind in ("TABLE_FUNCTION", "SHOW_REF"):
        called = (node.get("function") or {}).get("function_name", "what DuckDB knows of itself")
        raise QueryRefusedError(f"it reads {called}: it may look up {', '.join(FACTS)}, and nothing else")
    if node.get("sample"):
        raise QueryRefusedError("it takes a sample, which is another whenever it is asked")


def _moving(db: Database, nodes: list[Node], seen: set[str]) -> str | None:
    """What in a tree is not the same whenever it is asked; None when nothing is."""
    paths = (tuple(node["column_names"]) for node in nodes if node.get("type") == "COLUMN_REF")
    for path in dict.fromkeys(paths):
        if path[-1].lower() == _PLACE or (len(path) == 1 and _means_something_by_itself(db, path[0])):
            return str(path[-1])
    calls = dict.fromkeys(_called(node) for node in nodes if node.get("function_name"))
    if unsaid := next((called.name for called in calls if called in _UNSAID), None):
        return f"{unsaid}()"
    return _moving_function(db, {called.name for called in calls} - seen, seen)


def _moving_function(db: Database, names: set[str], seen: set[str]) -> str | None:
    """The first function that is never the same for the same arguments, or is short for one that is not."""
    seen |= names
    for name, stable, definitions in db.rows(sql("how_stable"), {"names": sorted(names)}):
        trees = (_parsed(db, sql("by_itself", expression=definition)) for definition in definitions)
        if stable is False or any(_moving(db, list(_nodes(tree)), seen) for tree in trees):
            return f"{name}()"
    return None


def _called(node: Node) -> _Called:
    # DuckDB 2 calls the arguments so, 1.5 children.
    return _Called(node["function_name"].lower(), len(node.get("arguments") or node.get("children") or ()))


def _means_something_by_itself(db: Database, name: str) -> bool:
    """Whether a bare name is no column but the time, the user, ...: these have a value without any table."""
    quoted = name.replace('"', '""')
    try:
        db.ask(sql("by_itself", expression=f'"{quoted}"'))
    except QueryRefusedError:
        return False
    return True
