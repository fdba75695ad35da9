"""What the engine knows and what it decided: states of rules, flips, alerts; one method a query."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from warehouse.changes.flips import Day
from warehouse.db import Database
from warehouse.queries import fragment, sql
from warehouse.records import Alert, Flip, Had, KnownAlert, Standing

JUDGED_DEPTH = 1001
"""How far down a board the engine looks for entities that nobody named: a leader does not fall further in one day, and
below the largest `top` that a rule may have there is one place more, against which it is held."""

_DAYS_AT_ONCE = 400
"""Days of boards that are held together: they are up to `JUDGED_DEPTH` values each."""

_ROW: dict[str, type] = {
    "alert_id": str, "rule": str, "board": str, "kind": str, "entity": str, "rival": str, "state": str, "day": date,
    "confirmed_day": date, "title": str, "value": float, "rival_value": float, "margin": float, "snapshot_id": int,
    "quality": str, "why": str, "confirm": int, "changes": int, "thread_of": str,
}  # fmt: skip
"""What is stored of an alert: not what follows from elsewhere."""

_FLIP: dict[str, type] = {
    "flip_id": str, "board": str, "kind": str, "entity": str, "rival": str, "day": date, "value": float,
    "rival_value": float, "margin": float, "verdict": str, "panel_holds": bool, "snapshot_id": int,
    "previous_day": date, "same": float, "created": float, "blank": float, "before": float,
    "rival_same": float, "rival_created": float, "rival_blank": float, "rival_before": float,
}  # fmt: skip
"""What is stored of a flip, and of its panel."""

_COUNTED = "bit_xor(hash(hash(entity, round(value))))::VARCHAR"
"""What a board counted on a day, as a short text: another one for the same snapshot is another way of counting."""


class Unjudged(NamedTuple):
    """What a rule has to judge."""

    start: date | None
    """First day not judged, or judged by another snapshot; None when there is none."""
    last: date | None
    """Last day judged; None when the rule is new."""
    other: bool
    """The rule, or what its board counts, was another when it judged them."""


class RuleState(NamedTuple):
    """What the engine knows of a rule after a day."""

    rule: str
    board: str
    day: date
    snapshot_id: int
    fingerprint: str
    """Of the rule."""
    slots: Mapping[str, object]
    """As plain data."""


@dataclass(frozen=True, slots=True)
class SlotAlert:
    """A confirmed alert in the story of its slot."""

    alert_id: str
    kind: str
    entity: str
    rival: str
    state: str
    why: str
    confirmed_day: date
    created_at: datetime
    corrected_by: str = ""
    """The correction that took it back."""


class JudgedFlip(NamedTuple):
    """A flip, and what it was judged on."""

    flip: Flip
    snapshot_id: int
    """The snapshot that showed it."""
    previous_day: date
    """The board's day before."""
    panel: Mapping[str, Had] | None
    """As `warehouse.changes.panel` has it."""

    def row(self) -> tuple[object, ...]:
        """As `_FLIP` has it."""
        known = self.panel and (*self.panel[self.flip.entity], *self.panel[self.flip.rival])
        return (*astuple(self.flip), self.snapshot_id, self.previous_day, *(known or [None] * 8))


class Ledger:
    """States of rules, flips and alerts."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # What rules have seen

    def unjudged(self, watching: Sequence[tuple[str, str, str]]) -> dict[str, Unjudged]:
        """Rule -> what it has to judge, of rules given as (name, board, fingerprint)."""
        with self.db.rows_as("watching", watching, {"rule": str, "board": str, "fingerprint": str}):
            rows = self.db.rows(sql("unjudged", counted=_COUNTED))
        return {rule: Unjudged(start, last, other) for rule, start, last, other in rows}

    def last_ranked_days(self, today: date) -> dict[str, date]:
        """Board -> the last day up to today that it was ranked for."""
        return dict(self.db.rows(sql("last_ranked_days"), {"today": today}))

    @contextmanager
    def judging(self, starts: Iterable[tuple[str, str, date]]) -> Iterator[None]:
        """Within the block the questions about rules are about these: (rule, board, first day to judge)."""
        with self.db.rows_as("judging", list(starts), {"rule": str, "board": str, "start": date}):
            yield

    def states_before(self) -> dict[str, dict[str, Any]]:
        """Rule -> what the engine knew of it before its first day, as plain data. For the rules being judged."""
        return {rule: json.loads(state) for rule, state in self.db.rows(sql("rule_states_before"))}

    def forget_states(self) -> None:
        """Forget what the engine knew from the first day on. For the rules being judged."""
        self.db.execute(sql("forget_rule_states"))

    def write_states(self, states: Sequence[RuleState]) -> None:
        """Write what the engine knows after each day judged."""
        schema = {"rule": str, "board": str, "day": date, "snapshot_id": int, "fingerprint": str, "state": str}
        rows = [(*state[:-1], json.dumps(state.slots)) for state in states]
        with self.db.rows_as("incoming_states", rows, schema):
            self.db.execute(sql("insert_rule_states", counted=_COUNTED))

    def retire_rules(self, rules: Sequence[str]) -> None:
        """Forget rules that are no longer among `rules`; what was told stays."""
        self.db.execute(sql("retire_rules"), {"rules": list(rules)})
        self.db.execute(sql("retire_pending"), {"rules": list(rules)})

    def standings_since(self, board: str, start: date, watched: Iterable[str] = (), *, first: int) -> list[Standing]:
        """A board's standings from a day on, oldest first, for the engine; `watched` and `first` as below."""
        days = self.days_of_boards({board: start}, [(board, entity) for entity in watched], first=first)[board]
        return [day for day in days if day.values]

    def days_of_boards(
        self, starts: Mapping[str, date], watched: Iterable[tuple[str, str]] = (), *, first: int
    ) -> dict[str, list[Standing]]:
        """Board -> its standings from a day on, oldest first, with the days for which nothing could be ranked.

        Args:
            starts: board -> first day.
            watched: (board, entity) looked at however far down it is.
            first: who stood in so many first places on one of these days is, too: a rule that judges them day by day
                knows it from then on.
        """
        days: dict[str, dict[date, Standing]] = {board: {} for board in starts}
        watched = list(watched)
        keys = {"depth": JUDGED_DEPTH, "first": first}
        with (
            self.db.rows_as("wanted", list(starts.items()), {"board": str, "start": date}),
            self.db.rows_as("watched", sorted(set(watched)), {"board": str, "entity": str}),
        ):
            for board, day, snapshot_id in self.db.rows(sql("ranked_days_of_boards")):
                days[board][day] = Standing(board, day, snapshot_id, {})
            for board, day, entity, value in self.db.rows(sql("standings_of_boards"), keys):
                days[board][day].values[entity] = value
        return {board: self._marked(board, list(found.values()), watched) for board, found in days.items()}

    def _marked(self, board: str, days: Sequence[Standing], watched: Iterable[tuple[str, str]]) -> list[Standing]:
        """The days of a board, each that was ranked with those who had left by then."""
        from warehouse.changes import departures  # noqa: PLC0415 polars, which the idle daemon does without

        mine = [entity for where, entity in watched if where == board]
        ranked = departures.marked(self.db, board, [day for day in days if day.values], mine)
        known = {day.day: day for day in ranked}
        return [known.get(day.day, day) for day in days]

    def boards_at_once(self, starts: Mapping[str, date]) -> Iterator[list[str]]:
        """Boards in groups whose days from their starts on can be held together; a long history is one of its own."""
        with self.db.rows_as("wanted", list(starts.items()), {"board": str, "start": date}):
            counts: dict[str, int] = dict(self.db.rows(sql("count_ranked_days")))
        group: list[str] = []
        held = 0
        for board in starts:
            held += counts.get(board, 0)
            if group and held > _DAYS_AT_ONCE:
                yield group
                group, held = [], counts.get(board, 0)
            group.append(board)
        if group:
            yield group

    # Flips

    def top_days(self, board: str, depth: int, since: date) -> list[Day]:
        """The upper part of a board, day by day, oldest first; who comes there or leaves it stands on both days."""
        days: dict[date, Day] = {}
        keys = {"board": board, "depth": depth, "since": since}
        for day, snapshot_id, entity, rank, value in [*self.db.rows(sql("top_days"), keys), *self._risen(keys)]:
            record = days.setdefault(day, Day(day, snapshot_id, {}, {}))
            record.ranks[entity], record.values[entity] = rank, value
        return list(days.values())

    def find_below(self, board: str, days: Sequence[Day], entities: Iterable[str]) -> None:
        """Add to days of a board's upper part where some stand who are further down on them."""
        missing = [entity for entity in entities if any(entity not in day.values for day in days)]
        if not missing:
            return
        known = {day.day: day for day in days}
        keys = {"board": board, "entities": missing, "since": min(known)}
        for on, entity, rank, value in self.db.rows(sql("places_of"), keys):
            if on in known:
                known[on].ranks[entity], known[on].values[entity] = rank, value

    def _risen(self, keys: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Who comes to the upper part of a board from far down, on the day before; of a deep board they are few."""
        risen = self.db.rows(sql("risen"), keys)
        if not risen:
            return []
        with self.db.rows_as("risen", risen, {"entity": str, "day": date}):
            return self.db.rows(sql("days_before_rise"), {"board": keys["board"]})

    def leader_by(self, board: str, day: date) -> str | None:
        """Who had the lead by the end of a day; None when the flips do not tell."""
        taken = self.db.value(sql("leader_by"), {"board": board, "day": day})
        found = taken or self.db.value(sql("first_leader"), {"board": board})
        return None if found is None else str(found)

    def known_flips(self, board: str, since: date) -> list[str]:
        """The flips that stand, of days after one."""
        return [flip for (flip,) in self.db.rows(sql("known_flips"), {"board": board, "since": since})]

    def panels(self, board: str) -> dict[str, Mapping[str, Had]]:
        """The flips of a board whose models are known -> their panel, as `warehouse.changes.panel` has it."""
        rows = self.db.rows(sql("flip_panels"), {"board": board})
        return {flip: {entity: Had(*own), rival: Had(*others)} for flip, entity, own, rival, others in rows}

    def delete_flips(self, board: str, flips: Sequence[str]) -> None:
        """Forget flips that no longer follow from the standings."""
        self.db.execute(sql("delete_flip_panels"), {"flips": list(flips)})
        self.db.execute(sql("delete_flips"), {"board": board, "flips": list(flips)})

    def insert_flips(self, flips: Sequence[JudgedFlip]) -> None:
        """Write flips, and the panels that they were judged on."""
        if not flips:
            return
        with self.db.rows_as("incoming_flips", [one.row() for one in flips], _FLIP):
            self.db.execute(sql("insert_flips"))
            self.db.execute(sql("insert_flip_panels"))

    def last_pair_flip(self, board: str, entity: str, rival: str, day: date) -> tuple[str, str, bool | None] | None:
        """(flip_id, verdict, panel_holds) of the flip that put `entity` ahead of `rival`, as of a day."""
        rows = self.db.rows(sql("last_pair_flip"), {"board": board, "entity": entity, "rival": rival, "day": day})
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    # Alerts

    def known_alerts(self) -> dict[str, list[KnownAlert]]:
        """Rule -> its alerts from its first day on, oldest first. For the rules being judged."""
        found: dict[str, list[KnownAlert]] = defaultdict(list)
        for row in self.db.records(sql("known_alerts", told_messages=fragment("told_messages"))):
            found[row.pop("rule")].append(KnownAlert(**row))
        return found

    def confirmed_ids(self, rules: Iterable[str]) -> dict[str, set[str]]:
        """Rule -> the ids of everything it ever confirmed."""
        found: dict[str, set[str]] = {rule: set() for rule in rules}
        for rule, alert_id in self.db.rows(sql("confirmed_ids"), {"rules": list(found)}):
            found[rule].add(alert_id)
        return found

    def stories(self, slots: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[SlotAlert]]:
        """(rule, slot) -> what was confirmed about it, oldest first."""
        found: dict[tuple[str, str], list[SlotAlert]] = defaultdict(list)
        with self.db.rows_as("slots", sorted(slots), {"rule": str, "slot": str}):
            for rule, slot, *row in self.db.rows(sql("slot_alerts")):
                found[rule, slot].append(SlotAlert(*row))
        return found

    def count_pending(self) -> int:
        """How many alerts are about to fire."""
        return int(self.db.value(sql("count_pending")))

    def forget_alerts(self, alerts: Iterable[str]) -> None:
        """Forget alerts that nobody was told of, and what was queued of them."""
        ids = list(alerts)
        if ids:
            self.db.execute(sql("forget_alerts"), {"alerts": ids})
            self.unqueue(ids)

    def unqueue(self, alerts: Iterable[str]) -> None:
        """Take back what was queued of alerts that nobody was told of; the alerts stay."""
        self.db.execute(sql("forget_deliveries"), {"alerts": list(alerts)})

    def set_state(self, alerts: Iterable[str], state: str) -> None:
        """Change the state of alerts."""
        self.db.execute(sql("set_alert_state"), {"alerts": list(alerts), "state": state})

    def write_alert(self, alert: Alert, *, slot: str, now: datetime) -> None:
        """Write an alert, or write it anew."""
        self.write_alerts([(alert, slot)], now=now)

    def write_alerts(self, alerts: Iterable[tuple[Alert, str]], *, now: datetime) -> None:
        """Write alerts with their slots, or write them anew, all at once: one snapshot may bring thousands."""
        rows = [(*(getattr(alert, name) for name in _ROW), slot) for alert, slot in alerts]
        if rows:
            with self.db.rows_as("incoming_alerts", rows, _ROW | {"slot": str}):
                self.db.execute(sql("update_alerts"))
                self.db.execute(sql("insert_alerts"), {"created_at": now})

    def supersede(self, rules: Sequence[str]) -> None:
        """Let the last word about each slot of these rules fire, and mark those before it as reverted."""
        if rules:
            self.db.execute(sql("supersede_alerts"), {"rules": list(rules)})

    def end_trouble(self, rule: str) -> None:
        """The source that a rule watches works again."""
        self.db.execute(sql("end_trouble"), {"rule": rule})

    def fold(self, alert_id: str, into: str) -> None:
        """Let another alert's message tell this one too."""
        self.db.execute(sql("fold_alert"), {"alert_id": alert_id, "into": into})

    def folds_to_tell(self) -> list[tuple[str, str]]:
        """(alert, the one whose message tells it too) where that message is still to be sent to somebody."""
        return [(alert_id, into) for alert_id, into in self.db.rows(sql("folds_to_tell"))]

    def unfold_orphans(self) -> list[tuple[str, str]]:
        """(alert, rule) of alerts that another's message was to tell and will not; they are on their own now."""
        return [(alert_id, rule) for alert_id, rule in self.db.rows(sql("unfold_orphans"))]

    def hold(self, alerts: Iterable[str], why: str) -> None:
        """Hold alerts back, for a reason."""
        self.db.execute(sql("hold_alerts"), {"alerts": list(alerts), "why": why})

    def release(self, alert_id: str, why: str) -> None:
        """Let an alert that was held back fire, with its own reason again."""
        self.db.execute(sql("release_alert"), {"alert_id": alert_id, "why": why})

    def idle_mass_changes(self, why: str) -> list[str]:
        """Messages about alerts held back for this reason, not sent yet, that hold nothing any more."""
        return [row[0] for row in self.db.rows(sql("idle_mass_changes"), {"why": why})]

    def held(self, why: str) -> list[tuple[str, str]]:
        """(alert, rule) of alerts held back for this reason."""
        return [(alert_id, rule) for alert_id, rule in self.db.rows(sql("held_alerts"), {"why": why})]

    def parents(self, entity: str, names: Iterable[str]) -> dict[str, str]:
        """What contains each of these entities: the family of a model, the country of a family."""
        query = {"model": "model_families", "family": "family_countries"}.get(entity)
        return dict(self.db.rows(sql(query), {"entities": list(names)})) if query else {}

    def qualities(self, snapshots: Iterable[int]) -> dict[int, str]:
        """Snapshot -> what is to be said about its data."""
        return dict(self.db.rows(sql("snapshot_qualities"), {"snapshots": list(snapshots)}))

    def given_up(self) -> date:
        """The last day of which counts were given up; before all days where none were."""
        return self.db.value(sql("given_up")) or date.min

    def last_trouble(self, after: date) -> str:
        """Why the last look after a day that is not complete is not; empty when there was none: nobody looked."""
        return str(self.db.value(sql("last_trouble"), {"after": after}) or "")

    def alert(self, alert_id: str) -> Alert:
        """An alert as it is told: with its board's definition and the days before it."""
        alert = Alert(**self.db.records(sql("alert_by_id"), {"alert_id": alert_id})[0])
        keys = {
            "board": alert.board,
            "entity": alert.entity,
            "rival": alert.rival,
            "day": alert.confirmed_day or alert.day,
        }
        return replace(alert, history=tuple(reversed(self.db.rows(sql("pair_history"), keys))))

    def why_set_aside(self, snapshot_id: int) -> str:
        """What somebody said when they set a snapshot aside; empty where nobody did."""
        found = self.db.rows(sql("why_set_aside"), {"snapshot_id": snapshot_id})
        return str(found[0][0]) if found else ""

    def told_beside(self, alert_id: str) -> list[Alert]:
        """The alerts that an alert's message tells too."""
        return [self.alert(row[0]) for row in self.db.rows(sql("folded_alerts"), {"alert_id": alert_id})]
