"""What the engine knows and what it decided: states of rules, flips, alerts; one method a query."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from warehouse.db import Database
from warehouse.flips import Day
from warehouse.queries import sql
from warehouse.records import Alert, Flip, KnownAlert, Standing

JUDGED_DEPTH = 1000
"""How far down a board the engine looks for entities that nobody named: a leader does not fall further in one day."""

_NOT_ROWS = ("definition", "history")
"""What an alert is told with, but is not stored with it."""

Judged = Mapping[date, tuple[int, str]]
"""Day -> (snapshot judged by, fingerprint of the rule)."""


class Ledger:
    """States of rules, flips and alerts."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # What rules have seen

    def judged_days(self) -> dict[tuple[str, str], Judged]:
        """(rule, board) -> the days it has judged."""
        found: dict[tuple[str, str], dict[date, tuple[int, str]]] = defaultdict(dict)
        for rule, board, day, snapshot_id, fingerprint in self.db.rows(sql("judged_days")):
            found[rule, board][day] = (snapshot_id, fingerprint)
        return dict(found)

    def ranked_days(self) -> dict[str, dict[date, int]]:
        """Board -> day -> snapshot of every standing."""
        found: dict[str, dict[date, int]] = defaultdict(dict)
        for board, day, snapshot_id in self.db.rows(sql("all_ranked_days")):
            found[board][day] = snapshot_id
        return dict(found)

    def state_before(self, rule: str, board: str, start: date) -> dict[str, Any]:
        """What the engine knew of a rule before a day, as plain data; empty when nothing."""
        state = self.db.value(sql("rule_state_before"), {"rule": rule, "board": board, "start": start})
        return dict(json.loads(state)) if state else {}

    def forget_states(self, rule: str, start: date) -> None:
        """Forget what the engine knew of a rule from a day on."""
        self.db.execute(sql("forget_rule_states"), {"rule": rule, "start": start})

    def write_states(
        self, rule: str, board: str, fingerprint: str, states: Sequence[tuple[date, int, Mapping[str, object]]]
    ) -> None:
        """Write what the engine knows after each day: (day, snapshot, plain data)."""
        frame = pl.DataFrame(
            {
                "day": [day for day, _, _ in states],
                "snapshot_id": [snapshot_id for _, snapshot_id, _ in states],
                "state": [json.dumps(state) for _, _, state in states],
            },
            schema={"day": pl.Date, "snapshot_id": pl.Int64, "state": pl.String},
        ).with_columns(rule=pl.lit(rule), board=pl.lit(board), fingerprint=pl.lit(fingerprint))
        with self.db.view_of("incoming_states", frame):
            self.db.execute(sql("insert_rule_states"))

    def retire_rules(self, rules: Sequence[str]) -> None:
        """Forget rules that are no longer among `rules`; what was told stays."""
        self.db.execute(sql("retire_rules"), {"rules": list(rules)})
        self.db.execute(sql("retire_pending"), {"rules": list(rules)})

    def standings_since(self, board: str, start: date, watched: Iterable[str] = ()) -> list[Standing]:
        """A board's standings from a day on, oldest first, for the engine."""
        keys = {"board": board, "start": start, "depth": JUDGED_DEPTH, "watched": list(watched)}
        days: dict[date, Standing] = {}
        for day, snapshot_id, entity, value in self.db.rows(sql("standings_since"), keys):
            days.setdefault(day, Standing(board, day, snapshot_id, {})).values[entity] = value
        return list(days.values())

    # Flips

    def top_days(self, board: str, depth: int) -> list[Day]:
        """The upper part of a board, day by day, oldest first."""
        days: dict[date, Day] = {}
        for day, snapshot_id, entity, rank, value in self.db.rows(sql("top_days"), {"board": board, "depth": depth}):
            record = days.setdefault(day, Day(day, snapshot_id, {}, {}))
            record.ranks[entity], record.values[entity] = rank, value
        return list(days.values())

    def known_flips(self, board: str) -> dict[str, tuple[int, date]]:
        """flip_id -> (snapshot, previous day) of the flips that stand."""
        return {
            flip: (snapshot, before) for flip, snapshot, before in self.db.rows(sql("known_flips"), {"board": board})
        }

    def delete_flips(self, board: str, flips: Sequence[str]) -> None:
        """Forget flips that no longer follow from the standings."""
        self.db.execute(sql("delete_flips"), {"board": board, "flips": list(flips)})

    def insert_flip(self, flip: Flip, *, snapshot_id: int, previous_day: date) -> None:
        """Write a flip."""
        self.db.execute(sql("insert_flip"), asdict(flip) | {"snapshot_id": snapshot_id, "previous_day": previous_day})

    def last_pair_flip(self, board: str, entity: str, rival: str, day: date) -> tuple[str, str, bool | None] | None:
        """(flip_id, verdict, panel_holds) of the flip that put `entity` ahead of `rival`, as of a day."""
        rows = self.db.rows(sql("last_pair_flip"), {"board": board, "entity": entity, "rival": rival, "day": day})
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    # Alerts

    def alerts_since(self, rule: str, start: date) -> list[KnownAlert]:
        """A rule's alerts from a day on, oldest first."""
        return [KnownAlert(**row) for row in self.db.records(sql("alerts_since"), {"rule": rule, "start": start})]

    def count_pending(self) -> int:
        """How many alerts are about to fire."""
        return int(self.db.value(sql("count_pending")))

    def forget_alerts(self, alerts: Iterable[str]) -> None:
        """Forget alerts that nobody was told of, and what was queued of them."""
        ids = list(alerts)
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
        row = {name: value for name, value in asdict(alert).items() if name not in _NOT_ROWS} | {"slot": slot}
        if self.db.value(sql("knows_alert"), {"alert_id": alert.alert_id}):
            self.db.execute(sql("update_alert"), row)
        else:
            self.db.execute(sql("insert_alert"), row | {"created_at": now})

    def supersede(self, rule: str, slot: str, alert_id: str, confirmed_day: date) -> None:
        """Mark the alert that described this slot before as reverted."""
        keys = {"rule": rule, "slot": slot, "alert_id": alert_id, "confirmed_day": confirmed_day}
        self.db.execute(sql("supersede_alerts"), keys)

    def end_trouble(self, rule: str) -> None:
        """The source that a rule watches works again."""
        self.db.execute(sql("end_trouble"), {"rule": rule})

    def fold(self, alert_id: str, into: str) -> None:
        """Let another alert's message tell this one too."""
        self.db.execute(sql("fold_alert"), {"alert_id": alert_id, "into": into})

    def held(self, why: str) -> list[tuple[str, str]]:
        """(alert, rule) of alerts held back for this reason."""
        return [(alert_id, rule) for alert_id, rule in self.db.rows(sql("held_alerts"), {"why": why})]

    def parents(self, entity: str, names: Iterable[str]) -> dict[str, str]:
        """What contains each of these entities: the family of a model, the country of a family."""
        query = {"model": "model_families", "family": "family_countries"}.get(entity)
        return dict(self.db.rows(sql(query), {"entities": list(names)})) if query else {}

    def quality(self, snapshot_id: int) -> str:
        """What is to be said about the data of a snapshot."""
        return str(self.db.value(sql("snapshot_quality"), {"snapshot_id": snapshot_id}) or "")

    def last_trouble(self) -> str:
        """Why the last look that is not complete is not; empty when all are."""
        return str(self.db.value(sql("last_trouble")) or "")

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

    def told_beside(self, alert_id: str) -> list[Alert]:
        """The alerts that an alert's message tells too."""
        return [self.alert(row[0]) for row in self.db.rows(sql("folded_alerts"), {"alert_id": alert_id})]
