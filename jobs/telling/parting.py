"""Parting: what one message was to tell together goes separate ways when a silence mutes some of it.

    a country's flip, and its family's inside it --a silence about one of them--> two alerts, each on its own

Otherwise whoever mutes a country would not be told of the family either, and whoever mutes the family would still read
of it in the country's message.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from warehouse.db import Database
from warehouse.records import Alert, Silence
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox, silenced_by


def part(db: Database, readers: Mapping[str, Collection[str]], *, now: datetime) -> None:
    """Let alerts be told by themselves that are muted, or whose message is; which channels are a rule's `readers` say.

    Where it was told already, or the rule is there no more, it stays or comes as its message did.
    """
    ledger, outbox = Ledger(db), Outbox(db)
    silences = [one for one in outbox.silences() if one.starts_at <= now < one.ends_at]
    if not silences:
        return
    for inner, outer in ledger.folds_to_tell():
        alert, around = ledger.alert(inner), ledger.alert(outer)
        if _is_muted(alert, silences, now) or _is_muted(around, silences, now):
            # Who was told what is wrong is corrected, whatever the rule says by now.
            channels = None if alert.kind == "correction" else readers.get(alert.rule)
            with db.transaction():
                outbox.copy(outer, inner, channels)
                ledger.fold(inner, "")


def _is_muted(alert: Alert, silences: list[Silence], now: datetime) -> bool:
    return silenced_by(alert, silences, now) is not None
