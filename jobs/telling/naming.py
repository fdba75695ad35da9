"""Rules and people name entities as they know them; here they are given the names that these have now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alerts.names import country_code, entity_name
from alerts.rules import Rule
from warehouse.attribution import identity
from warehouse.db import Database
from warehouse.errors import NotKnownError
from warehouse.queries import sql
from warehouse.ranking.boards import Board
from warehouse.registry import Registry


def present(
    db: Database, rules: Sequence[Rule], boards: Sequence[Board], registry: Registry
) -> dict[str, dict[str, str]]:
    """Entity kind -> name in a rule's `between` -> name now, of those that somebody has or had.

    Of the warehouse or a published file. Entities of an imported series are called as its source calls them.
    """
    kinds = {board.name: board.entity for board in boards if board.series is None}
    named: dict[str, set[str]] = {}
    for rule in rules:
        if rule.between and rule.board in kinds:
            named.setdefault(kinds[rule.board], set()).update(rule.between)
    return {kind: _present(db, registry, kind, names) for kind, names in named.items()}


def _present(db: Database, registry: Registry, kind: str, names: Iterable[str]) -> dict[str, str]:
    """Those of some names that are known -> the names now; countries, which are codes, may be called by their names."""
    called = {name: country_code(name) if kind == "country" else name for name in names}
    known = identity.present_names(db, registry, kind, set(called.values()))
    return {name: known[now] for name, now in called.items() if now in known}


KINDS = ("family", "publisher", "model", "series", "country")
"""What somebody may mean by a name, the likeliest first; `series`: as the source of an imported one calls it."""


def entity(db: Database, registry: Registry, name: str, kinds: Sequence[str] = KINDS) -> str:
    """Whom somebody means, as alerts name it: a family, publisher or model, an entity of a series, a country.

    Raises:
        NotKnownError: nobody of these kinds is called so; it offers the nearest.
    """
    listed = [whose for _, entities in db.rows(sql("names_of_series")) for whose in entities]
    meant = [whose for kind in kinds for whose in _meant(db, registry, listed, kind, name)]
    if not meant:
        countries = [entity_name("country", family.country) for family in registry.families]
        raise NotKnownError("entity", name, {*registry.names, *registry.publishers, *listed, *countries})
    return name if name in meant else meant[0]


def _meant(db: Database, registry: Registry, listed: Iterable[str], kind: str, name: str) -> list[str]:
    """Who of a kind may be meant by a name; a publisher of the registry also before anything of it is seen."""
    if kind == "series":
        return [whose for whose in listed if whose.lower() == name.lower()]
    found = list(_present(db, registry, kind, [name]).values())
    polled = registry.publishers if kind == "publisher" else ()
    return found or [whose for whose in polled if whose.lower() == name.lower()]


def renamed(rule: Rule, names: Mapping[str, str]) -> Rule:
    """A rule under the names of today (pure). A pair that is one by now stays as it is: nobody passes itself."""
    between = tuple(dict.fromkeys(names.get(name, name) for name in rule.between))
    if between == rule.between or (rule.when == "overtake" and len(between) < len(rule.between)):
        return rule
    return rule.model_copy(update={"between": between})


def run(db: Database, rules: Sequence[Rule], boards: Sequence[Board], registry: Registry) -> list[Rule]:
    """The rules, under the names of today."""
    names = present(db, rules, boards, registry)
    kinds = {board.name: board.entity for board in boards if board.series is None}
    return [renamed(rule, names.get(kinds.get(rule.board, ""), {})) for rule in rules]
