"""Rank: bring every board's standings and flips up to date with the snapshots. Part of collect and of detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from warehouse import departures, exactness, identity, panel, standings, store
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.flips import TOP, leaders, order_changes
from warehouse.ledger import Ledger
from warehouse.registry import Registry


@dataclass(frozen=True, slots=True)
class Summary:
    """What ranking brought."""

    boards: dict[str, date]
    """Board -> first day whose standing, or a name near its top, is new."""
    flips: int
    """Flips found that were not there before."""


def run(db: Database, boards: Sequence[Board], registry: Registry, *, seen: bool = False) -> Summary:
    """Rank what is not ranked, by the registry and the names as they are now; forget boards that are gone.

    Run inside a transaction; `seen` says that it has seen models, so that whose they are is to be said anew.
    """
    if seen or store.write_registry(db, registry):
        store.attribute(db, registry)
    starts: dict[str, date] = {}
    flips = 0
    made, known = standings.Made(db), registry.fingerprint()
    standings.retire(db, [board.name for board in boards], made)
    renamed = standings.rename_models(db)
    for board in boards:
        start = standings.refresh(db, board, board.fingerprint(known), made)
        if board.name in renamed:  # what is kept by name is found again
            start = min(made.ranked[board.name], default=start)
        if start is not None:
            starts[board.name] = start
            flips += _find_flips(db, board, start)
    identity.follow_renames(db, registry)
    return Summary(starts, flips)


def _find_flips(db: Database, board: Board, start: date) -> int:
    """Make a board's flips follow from its standings, which are new from `start` on; how many flips are new."""
    ledger = Ledger(db)
    days = ledger.top_days(board.name, 2 * TOP)
    missing = leaders(days) - days[-1].values.keys() if days else ()
    left = departures.of_board(db, board.name, missing)
    found = {change.flip_id(board.name): change for change in order_changes(days, left=left)}
    known = ledger.known_flips(board.name)
    settled = {flip_id for flip_id, change in found.items() if change.at.day < start} & known.keys()
    if undone := sorted(known.keys() - settled):
        ledger.delete_flips(board.name, undone)
    changes = [change for flip_id, change in found.items() if flip_id not in settled]
    said = exactness.said(db, board)
    for change, seen in zip(changes, panel.panels(db, board, changes), strict=True):
        flip = panel.judge(board.name, change, seen, said)
        ledger.insert_flip(flip, snapshot_id=change.at.snapshot_id, previous_day=change.before.day)
    return len(found.keys() - known.keys())
