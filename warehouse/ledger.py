"""What the engine knows, what it decided, and the outbox: the daemon's own rows, one method a query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from warehouse.db import Database
from warehouse.flips import Day
from warehouse.queries import sql
from warehouse.records import Alert, Delivery, Flip, Standing

JUDGED_DEPTH = 1000
"""How far down a board the engine looks for entities that nobody named: a leader does not fall further in one day."""

_LEASED = ("attempts", "last_attempt_at", "lease_until")
"""What only taking a delivery changes."""


class Ledger:
    """States of rules, alerts and deliveries."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # What rules have seen

    def judged_days(self, rule: str, board: str) -> dict[date, tuple[int, str]]:
        """Day -> (snapshot judged by, fingerprint of the rule)."""
        rows = self.db.rows(sql("rule_days"), {"rule": rule, "board": board})
        return {day: (snapshot_id, fingerprint) for day, snapshot_id, fingerprint in rows}

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

    def standings_since(self, board: str, start: date, watched: Iterable[str]) -> list[Standing]:
        """A board's standings from a day on, oldest first, for the engine."""
        keys = {"board": board, "start": start, "depth": JUDGED_DEPTH, "watched": list(watched)}
        days: dict[date, Standing] = {}
        for day, snapshot_id, entity, value in self.db.rows(sql("standings_since"), keys):
            days.setdefault(day, Standing(board, day, snapshot_id, {})).values[entity] = value
        return list(days.values())

    def ranked_days(self, board: str) -> dict[date, int]:
        """Day -> snapshot of every standing of a board."""
        return dict(self.db.rows(sql("ranked_days"), {"board": board}))

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

    def alerts_since(self, rule: str, start: date) -> dict[str, str]:
        """alert_id -> state of a rule's alerts from a day on."""
        return dict(self.db.rows(sql("alerts_since"), {"rule": rule, "start": start}))

    def pending_alerts(self, rule: str) -> set[str]:
        """Alerts of a rule that are about to fire."""
        return {row[0] for row in self.db.rows(sql("pending_alerts"), {"rule": rule})}

    def withdraw(self, alerts: Iterable[str]) -> None:
        """Take back alerts that no longer follow from the data: forgotten if nobody was told, else marked reverted."""
        ids = list(alerts)
        told = [row[0] for row in self.db.rows(sql("told_alerts"), {"alerts": ids})]
        untold = [alert for alert in ids if alert not in told]
        self.db.execute(sql("forget_alerts"), {"alerts": untold})
        self.db.execute(sql("forget_deliveries"), {"alerts": untold})
        self.db.execute(sql("set_alert_state"), {"alerts": told, "state": "reverted"})

    def write_alert(self, alert: Alert, *, slot: str, now: datetime) -> None:
        """Write an alert, or write it anew; it keeps the moment it was first written."""
        created = self.db.value(sql("alert_created_at"), {"alert_id": alert.alert_id})
        self.db.execute(sql("delete_alert"), {"alert_id": alert.alert_id})
        row = {name: value for name, value in asdict(alert).items() if name not in ("definition", "history")}
        self.db.execute(sql("insert_alert"), row | {"slot": slot, "created_at": created or now})

    def supersede(self, rule: str, slot: str, alert_id: str, confirmed_day: date) -> None:
        """Mark the alert that described this slot before as reverted."""
        keys = {"rule": rule, "slot": slot, "alert_id": alert_id, "confirmed_day": confirmed_day}
        self.db.execute(sql("supersede_alerts"), keys)

    def quality(self, snapshot_id: int) -> str:
        """What is to be said about the data of a snapshot."""
        return str(self.db.value(sql("snapshot_quality"), {"snapshot_id": snapshot_id}) or "")

    # Outbox

    def queue(self, alert_id: str, channel: str, now: datetime) -> None:
        """Queue an alert for a channel; once, however often asked."""
        self.db.execute(sql("queue_delivery"), {"alert_id": alert_id, "channel": channel, "queued_at": now})

    def open_deliveries(self) -> list[Delivery]:
        """What is not yet delivered, in the order it must go out, channel by channel."""
        return [Delivery(**row | {"settled": tuple(row["settled"])}) for row in self.db.records(sql("open_deliveries"))]

    def lease(self, delivery: Delivery, *, now: datetime, until: datetime) -> None:
        """Take a delivery; must be committed before the message leaves."""
        keys = {"alert_id": delivery.alert_id, "channel": delivery.channel}
        with self.db.transaction():
            self.db.execute(sql("lease_delivery"), keys | {"now": now, "lease_until": until})

    def settle(self, delivery: Delivery, *, receipt: str | None = None) -> None:
        """Write what became of an attempt: `delivery` as it is now, and the provider's own id for the message."""
        row = {name: value for name, value in asdict(delivery).items() if name not in _LEASED}
        with self.db.transaction():
            self.db.execute(sql("settle_delivery"), row | {"settled": list(delivery.settled), "receipt": receipt})

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
