"""What `check` says about names: who is called otherwise now, who has left, and whom nobody is called like."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.names import COUNTRIES, country_code
from alerts.rules import Rule
from jobs.telling import naming
from monitor.config import Settings
from warehouse.attribution.renames import Move, moved_publishers
from warehouse.changes import departures
from warehouse.db import Database
from warehouse.errors import nearest
from warehouse.ranking.boards import Board


def moved(db: Database, settings: Settings) -> Iterator[str]:
    """The publishers of the registry, or named by rules, that are others now."""
    named = {name.lower() for rule in settings.rules for name in rule.between}
    for move in moved_publishers(db):
        if settings.registry.knows(move.former) or move.former.lower() in named:
            yield _in_words(move)


def _in_words(move: Move) -> str:
    if move.merged:
        return (
            f"publisher {move.former}: merged into {move.present}, its place ended on {move.day}; its models count "
            f"for {move.present}, with their history"
        )
    return f"publisher {move.former}: called {move.present} since {move.day}, and keeps its history and its place"


def unknown_families(settings: Settings) -> Iterator[str]:
    """Rules that name families or countries that are not in the registry: they would watch nobody."""
    registry = settings.registry
    known = {
        "family": [*registry.names, *(name for family in registry.families for name in family.formerly)],
        "country": [*(family.country for family in registry.families), *COUNTRIES.values()],
    }
    for rule, board in _naming(settings):
        if board.series is None and board.entity in known:
            names = known[board.entity]
            for name in rule.between:
                called = country_code(name) if board.entity == "country" else name
                if called.lower() not in map(str.lower, names):
                    yield f"rule {rule.name}: no {board.entity} is called {name!r}{nearest(name, names)}"


def of_rules(db: Database, settings: Settings) -> Iterator[str]:
    """What has become of those whom rules name."""
    present = naming.present(db, settings.rules, settings.boards, settings.registry)
    for rule, board in _naming(settings):
        if board.series is not None:
            continue
        names = present[board.entity]
        if board.entity in ("publisher", "model"):
            yield from (f"rule {rule.name}: no {board.entity} called {name!r} was ever seen" for name in rule.between
                        if name not in names)  # fmt: skip
        yield from (f"rule {rule.name}: {name} is {names[name]} now" for name in rule.between
                    if names.get(name, name) not in (name, country_code(name)))  # fmt: skip
        if rule.when == "overtake" and len(rule.between) == 2 and len({names.get(n, n) for n in rule.between}) == 1:
            yield f"rule {rule.name}: {' and '.join(rule.between)} are one now: it has nothing to tell"
        left = departures.of_board(db, board.name, [names.get(name, name) for name in rule.between])
        yield from (f"rule {rule.name}: {name} left the Hub on {day}" for name, day in sorted(left.items()))


def _naming(settings: Settings) -> Iterator[tuple[Rule, Board]]:
    """The rules that name entities, each with its board."""
    boards = {board.name: board for board in settings.boards}
    return ((rule, boards[rule.board]) for rule in settings.rules if rule.between and rule.board in boards)
