"""Identity: who is still who under another name. The Hub's `_id` stays; names of repositories and publishers do not.

Counts follow the `_id` by themselves, for boards are ranked by what models are called now. Here is the rest: what is
kept by name (the engine's states, alerts, the registry, the entities that a rule names) follows a rename, and new names
are proposed to the registry's keeper. Which publishers were renamed `warehouse.attribution.renames` finds out.

A model that alone moves to another publisher is no rename: its history moves with it, and that is all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

from warehouse.attribution.renames import moved_publishers
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.registry import Proposal, Registry, propose_publishers, propose_renamed

Names = Mapping[str, str]
"""Former name -> name now."""

_SLOT_NAMES = ("incumbent", "challenger", "previous", "ahead")
"""What a slot of the engine knows by name."""


def renamed_repositories(db: Database) -> dict[str, str]:
    """Former repo_id -> repo_id now, of every repository ever renamed or moved whose former name is nobody's now."""
    return dict(db.rows(sql("renamed_repositories")))


def known_names(registry: Registry, publishers: Names) -> dict[str, list[str]]:
    """Name of a renamed publisher that the registry does not know, in lower case -> its names that it does know.

    Not only the name that it has now: what was deleted between two renames stays under the one that it had then.
    """
    called: dict[str, list[str]] = defaultdict(list)
    for old, new in publishers.items():
        called[new].append(old)
    found: dict[str, list[str]] = {}
    for new, former in called.items():
        known = [name for name in (new, *former) if registry.knows(name)]
        if known:
            found |= {name.lower(): known for name in (new, *former) if not registry.knows(name)}
    return found


def family_of(registry: Registry, known: Mapping[str, Sequence[str]]) -> Callable[[str], str | None]:
    """The registry's answer to whose a repository is, which also knows renamed publishers by their `known_names`."""
    if not known:
        return registry.family_of

    def family(repo_id: str) -> str | None:
        publisher, _, name = repo_id.partition("/")
        others = (registry.family_of(f"{other}/{name}") for other in known.get(publisher.lower(), ()))
        return registry.family_of(repo_id) or next(filter(None, others), None)

    return family


def present_names(db: Database, registry: Registry, entity: str, names: Collection[str]) -> dict[str, str]:
    """Name as somebody wrote it -> as the entity is called now, of those that are called so or were; case is forgiven.

    Who is called so now goes before who was called so, and the exact spelling before another.
    """
    if not names:
        return {}
    match entity:
        case "family":
            known = [*zip(registry.names, registry.names, strict=True), *_former_families(registry)]
        case "country":
            known = [(family.country, family.country) for family in registry.families]
        case _:
            query = "publishers_named" if entity == "publisher" else "repositories_named"
            known = db.rows(sql(query), {"names": [name.lower() for name in names]})
    exact, forgiven = dict(reversed(known)), {name.lower(): present for name, present in reversed(known)}
    found = {name: exact.get(name) or forgiven.get(name.lower()) for name in names}
    return {name: present for name, present in found.items() if present}


def _former_families(registry: Registry) -> list[tuple[str, str]]:
    """(former name, name now) of families."""
    return [(former, family.name) for family in registry.families for former in family.formerly]


def follow_renames(db: Database, registry: Registry, *, moving: bool) -> None:
    """Let what is kept by name follow: states of rules, and alerts. Run inside a transaction, before rules judge.

    `moving`: some model ever had another name; where none had, no publisher had.
    What is known of a publisher that was merged into another goes on as the other's; what was told of it stays as told.
    """
    moved = moved_publishers(db) if moving else []
    moves = {move.former: move.present for move in moved}
    renamed = {move.former: move.present for move in moved if not move.merged}
    families = {former: name for former, name in _former_families(registry) if former not in registry.names}
    repositories = renamed_repositories(db) if moving else {}
    for entity, states, alerts in (
        ("publisher", moves, renamed),
        ("model", repositories, repositories),
        ("family", families, families),
    ):
        if states:
            _rename_states(db, entity, states)
        if alerts:
            _rename_alerts(db, entity, alerts)


def _rename_states(db: Database, entity: str, names: Names) -> None:
    """A rule's states are all written anew as soon as its last one knows a former name; later ones never do again."""
    for rule, board, last in db.rows(sql("last_states"), {"entity": entity}):
        if renamed_slots(json.loads(last), names) == json.loads(last):
            continue
        key = {"rule": rule, "board": board}
        states = [
            (day, json.dumps(renamed_slots(json.loads(state), names)))
            for day, state in db.rows(sql("states_of_rule"), key)
        ]
        with db.rows_as("rewritten_states", states, {"day": date, "state": str}):
            db.execute(sql("rewrite_states"), key)


def renamed_slots(slots: Mapping[str, Mapping[str, Any]], names: Names) -> dict[str, dict[str, Any]]:
    """A rule's slots, as the engine dumps them, under new names (pure).

    A pair whose two sides are now one is dropped; where a new name has a slot already, that one stays.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, slot in sorted(slots.items(), key=lambda item: item[0] != renamed_key(item[0], names)):
        new = renamed_key(key, names)
        if "\n" not in new or len(set(new.split("\n"))) == 2:
            found.setdefault(new, _renamed_slot(slot, names))
    return found


def renamed_key(key: str, names: Names) -> str:
    """The key of a slot under new names: `lead`, an entity, a number and an entity, or a pair, which is in order."""
    first, between, second = key.partition("\n")
    if not between:
        return key if key == "lead" else names.get(key, key)
    if not first or _is_number(first):
        return f"{first}\n{names.get(second, second) if first else second}"
    return "\n".join(sorted(names.get(name, name) for name in (first, second)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _renamed_slot(slot: Mapping[str, Any], names: Names) -> dict[str, Any]:
    renamed = {name: names.get(value, value) if name in _SLOT_NAMES else value for name, value in slot.items()}
    if renamed.get("challenger") == renamed.get("incumbent"):
        renamed |= {"challenger": None, "since": None, "days": 0}
    return renamed


def _rename_alerts(db: Database, entity: str, names: Names) -> None:
    rows = db.rows(sql("alerts_naming"), {"entity": entity, "former": list(names)})
    renamed = [(alert, names.get(a, a), names.get(b, b), renamed_key(slot, names)) for alert, a, b, slot in rows]
    if renamed:
        with db.rows_as("rewritten_alerts", renamed, {"alert_id": str, "entity": str, "rival": str, "slot": str}):
            db.execute(sql("rewrite_alerts"))


def proposals(db: Database, registry: Registry) -> list[Proposal]:
    """Publishers that may belong to a known family, from what was seen; for a person to decide, never counted.

    Those to which models of a family have moved, then those that are called like one.
    """
    renamed = propose_renamed(registry, db.rows(sql("names_then_and_now")))
    moved = {proposal.publisher for proposal in renamed}
    alike = propose_publishers(registry, [row[0] for row in db.rows(sql("publishers_heard_of"))])
    return renamed + [proposal for proposal in alike if proposal.publisher not in moved]
