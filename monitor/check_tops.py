"""What `check` says about rules whose top places are the whole board: nobody comes in or falls out where all are in."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.rules import Rule
from monitor.config import Settings
from warehouse.db import Database
from warehouse.published.reading import Reading
from warehouse.ranking.boards import PLURAL, Board
from warehouse.registry import Registry


def too_wide(settings: Settings) -> Iterator[str]:
    """Rules whose top holds all whom the registry knows: they can never tell anything."""
    for rule, board in _of_tops(settings):
        most = _most(board, settings.registry)
        if most is not None and rule.top >= most:
            yield _in_words(rule, f"board {board.name} has {most} {PLURAL[board.entity]} at most")


def too_wide_so_far(db: Database, settings: Settings) -> Iterator[str]:
    """Rules whose top holds all who stand on a board now, where no registry says how many there may be."""
    for rule, board in _of_tops(settings):
        if _most(board, settings.registry) is None:
            standing = Reading(db).standing(board.name, top=rule.top + 1)
            if standing and len(standing) <= rule.top:
                yield _in_words(rule, f"board {board.name} had {len(standing)} in all on {standing[0]['day']}")


def _of_tops(settings: Settings) -> Iterator[tuple[Rule, Board]]:
    """The rules about who comes into the top or falls out of it, each with its board."""
    for rule in settings.rules:
        if rule.when in ("enters_top", "leaves_top"):
            yield rule, settings.board(rule.board)


def _most(board: Board, registry: Registry) -> int | None:
    """How many entities a board can have; None where nobody knows that before they are there."""
    if board.series is not None:
        return None
    known = {"family": set(registry.names), "country": {family.country for family in registry.families}}
    return len(known[board.entity]) if board.entity in known else None


def _in_words(rule: Rule, why: str) -> str:
    return f"rule {rule.name}: {why}, and with top = {rule.top} all are in: it has nothing to tell"
