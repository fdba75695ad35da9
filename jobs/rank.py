"""Rank: bring every board's standings and flips up to date with the snapshots. Part of collect and of detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from warehouse import panel, standings, store
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.flips import TOP, OrderChange, order_changes
from warehouse.ledger import Ledger
from warehouse.registry import Registry


@dataclass(frozen=True, slots=True)
class Summary:
    """What ranking brought."""

    boards: dict[str, date]
    """Board -> first day whose standing is new."""
    flips: int
    """Flips found that were not there before."""


def run(db: Database, boards: Sequence[Board], registry: Registry) -> Summary:
    """Rank what is not ranked, by the registry as it is now; forget boards that are gone. Inside a transaction."""
    if store.write_registry(db, registry):
        store.attribute(db, registry)
    standings.retire(db, [board.name for board in boards])
    starts: dict[str, date] = {}
    flips = 0
    for board in boards:
        start = standings.refresh(db, board, board.fingerprint(registry.fingerprint()))
        if start is not None:
            starts[board.name] = start
            flips += _find_flips(db, board)
    return Summary(starts, flips)


def _find_flips(db: Database, board: Board) -> int:
    """Make a board's flips follow from its standings; how many are new."""
    ledger = Ledger(db)
    found = {change.flip_id(board.name): change for change in order_changes(ledger.top_days(board.name, 2 * TOP))}
    known = ledger.known_flips(board.name)
    same = {flip for flip, ends in known.items() if flip in found and _ends(found[flip]) == ends}
    ledger.delete_flips(board.name, sorted(known.keys() - same))
    panels = _panels(db, board, [found[flip_id] for flip_id in found.keys() - same])
    for flip_id in found.keys() - same:
        change = found[flip_id]
        flip = panel.judge(board.name, change, panels[_ends(change)])
        ledger.insert_flip(flip, snapshot_id=change.at.snapshot_id, previous_day=change.before.day)
    return len(found.keys() - known.keys())


def _ends(change: OrderChange) -> tuple[int, date]:
    return change.at.snapshot_id, change.before.day


def _panels(db: Database, board: Board, changes: Sequence[OrderChange]) -> dict[tuple[int, date], panel.Panel | None]:
    """The panel between the two ends of every change, each looked up once; None where the models are not known."""
    ends = {_ends(change): (change.before.snapshot_id, change.at.snapshot_id) for change in changes}
    return {key: None if board.series else panel.panel(db, board, *pair) for key, pair in ends.items()}
