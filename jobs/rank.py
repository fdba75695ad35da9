"""Rank: bring every board's standings and flips up to date with the snapshots. Part of collect and of detect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from warehouse.attribution import changed, identity
from warehouse.changes import departures, exactness, panel
from warehouse.changes.flips import Day, OlderDaysError, OrderChange, leaders, order_changes
from warehouse.db import Database
from warehouse.ranking import conditions, standings
from warehouse.ranking.boards import Board
from warehouse.ranking.made import Made
from warehouse.ranking.moves import NOBODY, Moved
from warehouse.ranking.places import TOP
from warehouse.registry import Registry
from warehouse.snapshots import store
from warehouse.state.ledger import JudgedFlip, Ledger

WINDOWS = (2, 28)
"""Ranked days, before those that are new, that are read to find who passed whom: more where the fewer do not tell."""


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

    Raises:
        QueryRefusedError: a board's condition cannot be reckoned of a model.
    """
    if seen or store.write_registry(db, registry) or store.attributed_otherwise(db, registry):
        store.attribute(db, registry)
    starts: dict[str, date] = {}
    flips = 0
    made, known = Made(db), registry.fingerprint()
    standings.retire(db, [board.name for board in boards], made)
    renamed = standings.rename_models(db) if made.renamed else set()
    for board in boards:
        with conditions.reckoning(db, board):
            new = standings.refresh(db, board, board.fingerprint(known), made)
            moved = made.moved.get(board.name, NOBODY)
            # What is kept by name is found again on all days, and so is who passed somebody that has other models now.
            again = moved.entities or board.name in renamed
            start = min(made.ranked[board.name], default=new) if again else new
            if start is not None:
                starts[board.name] = start
                flips += _find_flips(db, board, start, made.ranked[board.name], _As(new, moved))
    standings.sort(db, [board.name for board in boards])
    if made.changed:
        changed.forget(db)
    identity.follow_renames(db, registry, moving=made.renamed)
    return Summary(starts, flips)


class _As(NamedTuple):
    """Whose standings are as they were."""

    new: date | None
    """Nobody's from this day on."""
    moved: Moved
    """Not those of these, on any day."""

    def stood(self, change: OrderChange) -> bool:
        """Whether those who did not move stood so when this was judged, if it was."""
        return self.new is None or change.at.day < self.new

    def before(self, change: OrderChange) -> bool:
        """Whether this is as true, or as false, of the models as it was."""
        return self.stood(change) and self.moved.entities.isdisjoint((change.entity, change.rival))


def _find_flips(db: Database, board: Board, start: date, ranked: Iterable[date], same: _As) -> int:
    """Make a board's flips follow from its standings, of which some are new from `start` on; how many flips are new.

    Of the days `ranked` before, the last ones nearly always tell enough: all are read only where they do not.
    """
    ledger = Ledger(db)
    since, changes = _order_changes(ledger, board.name, sorted(day for day in ranked if day < start))
    found = {change.flip_id(board.name): change for change in changes}
    known = set(ledger.known_flips(board.name, since))
    settled = {flip_id for flip_id, change in found.items() if same.before(change)} & known
    unsettled = {flip_id: change for flip_id, change in found.items() if flip_id not in settled}
    seen = _panels(ledger, board, unsettled, same)
    if undone := sorted(known - settled):
        ledger.delete_flips(board.name, undone)
    said = exactness.said(db, board)
    ledger.insert_flips([_judged(board, change, seen[flip_id], said) for flip_id, change in unsettled.items()])
    return len(found.keys() - known)


def _judged(board: Board, change: OrderChange, known: panel.Panel | None, said: exactness.Said) -> JudgedFlip:
    flip = panel.judge(board.name, change, known, said)
    return JudgedFlip(flip, change.at.snapshot_id, change.before.day, known)


def _panels(
    ledger: Ledger, board: Board, changes: Mapping[str, OrderChange], same: _As
) -> Mapping[str, panel.Panel | None]:
    """What changes of order are judged on, by flip.

    Of those that stood what it was, with what single models have brought and taken since; of all others it is asked.
    """
    stood = {flip_id: change for flip_id, change in changes.items() if same.stood(change)}
    seen: dict[str, panel.Panel | None] = dict(_with_moved(ledger, board, stood, same.moved))
    asked = [flip_id for flip_id in changes if flip_id not in seen]
    found = panel.panels(ledger.db, board, [changes[flip_id] for flip_id in asked])
    return seen | dict(zip(asked, found, strict=True))


def _with_moved(
    ledger: Ledger, board: Board, changes: Mapping[str, OrderChange], moved: Moved
) -> Mapping[str, panel.Panel]:
    """The panels that are known, with what the models that moved bring to them and take from them."""
    if not (moved.members and changes):
        return {}
    kept = ledger.panels(board.name)
    known = [flip_id for flip_id in changes if flip_id in kept]
    more = panel.added(ledger.db, board, [changes[flip_id] for flip_id in known], moved)
    return {flip_id: panel.both(kept[flip_id], brought) for flip_id, brought in zip(known, more, strict=True)}


def _order_changes(ledger: Ledger, board: str, older: Sequence[date]) -> tuple[date, list[OrderChange]]:
    """The day after which changes of order were looked for, and what was found; `older` are the days before the new."""
    for since in (older[-window] for window in WINDOWS if window <= len(older)):
        led = ledger.leader_by(board, since)
        if led is None:
            break
        days = ledger.top_days(board, 2 * TOP, since)
        if days and days[0].day == since:
            with suppress(OlderDaysError):
                return since, _changes(ledger, board, days, led)
    return date.min, _changes(ledger, board, ledger.top_days(board, 2 * TOP, date.min))


def _changes(ledger: Ledger, board: str, days: Sequence[Day], led: str | None = None) -> list[OrderChange]:
    """Changes of order on these days; who has left the Hub has lost the lead."""
    first = leaders(days) | ({led} if led else set())
    # Who led keeps the lead while others share the first place, and may fall far meanwhile.
    ledger.find_below(board, days, first)
    left = departures.of_board(ledger.db, board, first - days[-1].values.keys() if days else ())
    return list(order_changes(days, left=left, led=led))
