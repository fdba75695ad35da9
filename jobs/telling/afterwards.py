"""Afterwards: what was muted is told once, as one message a channel, when nothing mutes it any more.

    muted --a silence ends, or is expired; another may go on--> one alert that stands for all of it --> outbox

What that message says is looked up when it is sent: who muted it anew meanwhile, and what of it no longer holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from alerts.message import SILENCE_OVER, title
from alerts.wording import day_of
from warehouse.amounts import amount
from warehouse.db import Database
from warehouse.records import Alert, Delivery
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox, silenced_by


def free(db: Database, now: datetime) -> list[tuple[Alert, str]]:
    """(alert, channel) of what was muted and is not any more."""
    ledger, outbox = Ledger(db), Outbox(db)
    muted = [(ledger.alert(alert_id), channel) for alert_id, channel in outbox.muted()]
    silences = outbox.silences() if muted else []
    return [(alert, channel) for alert, channel in muted if silenced_by(alert, silences, now) is None]


def queue(db: Database, *, now: datetime) -> None:
    """Queue what was muted and is not any more."""
    ended = free(db, now)
    if not ended:
        return
    ledger, outbox = Ledger(db), Outbox(db)
    alerts = list({alert.alert_id: alert for alert, _ in ended}.values())
    over = teller(SILENCE_OVER, alerts, now)
    with db.transaction():
        ledger.write_alert(over, slot=SILENCE_OVER, now=now)
        ledger.set_state([alert.alert_id for alert in alerts], "firing")
        ledger.supersede(sorted({alert.rule for alert in alerts}))
        for alert, channel in ended:
            outbox.tell_in(alert.alert_id, channel, over.alert_id)
            outbox.queue(over.alert_id, channel, now)


def members(db: Database, delivery: Delivery) -> list[Alert]:
    """What the message of a delivery tells of what was muted."""
    ledger, outbox = Ledger(db), Outbox(db)
    return [ledger.alert(one) for one in outbox.told_in(delivery.alert_id, delivery.channel)]


def still_to_tell(db: Database, delivery: Delivery, *, now: datetime) -> bool:
    """Let what is muted anew wait for that to end; whether a delivery has anything left to tell.

    What may be with its reader already is told again as it was.
    """
    outbox, alerts = Outbox(db), members(db, delivery)
    if delivery.status == "sending":
        return bool(alerts)
    silences = outbox.silences()
    again = [alert for alert in alerts if silenced_by(alert, silences, now) is not None]
    Ledger(db).set_state([alert.alert_id for alert in again], "silenced")
    for alert in again:
        outbox.tell_in(alert.alert_id, delivery.channel, "")
    return len(again) < len(alerts)


def teller(kind: str, alerts: Sequence[Alert], now: datetime) -> Alert:
    """What stands for them in the outbox, and tells them."""
    key = " ".join([kind, now.isoformat(), *sorted(alert.alert_id for alert in alerts)])
    said = amount(len(alerts), "alert")
    return Alert(
        alert_id=f"{kind[:3]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}",
        rule="",
        board="",
        kind=kind,
        entity=said,
        rival="",
        state="firing",
        day=min(alert.day for alert in alerts),
        confirmed_day=max(day_of(alert) for alert in alerts),
        title=title(kind, said, "", ""),
        value=0.0,
        rival_value=0.0,
        margin=0.0,
        definition="",
        snapshot_id=0,
        changes=len(alerts),
    )
