"""Digest: standings, movements, contests and data trouble of some days, as one message; a delivery like any other."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from alerts.digest import TOP, BoardWeek, digest, digest_id
from alerts.message import Message
from warehouse.db import Database
from warehouse.published.reading import Reading
from warehouse.queries import sql
from warehouse.records import Alert, Standing
from warehouse.spelling import Name
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox

KIND = "digest"

_DEPTH = 50
"""Places looked at: enough to say where the first five were before."""


class Digest(BaseModel):
    """A summary that comes by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Name = Field(description="name of the digest")
    cron: str = Field(default="0 7 * * 1", description="when it comes, UTC; Mondays at 7 by default")
    channels: tuple[str, ...] = Field(default=("console",), description="names of the channels to tell")
    boards: tuple[str, ...] = Field(default=(), description="names of the boards to show; empty: all")
    days: int = Field(default=7, ge=1, le=366, description="how many days it looks back on")


def run(db: Database, wanted: Digest, *, now: datetime) -> str:
    """Queue a digest of the days up to `now`; once a day, however often asked. Its alert id."""
    alert = as_alert(wanted, now)
    with db.transaction():
        Ledger(db).write_alert(alert, slot=KIND, now=now)
        for channel in wanted.channels:
            Outbox(db).queue(alert.alert_id, channel, now)
    return alert.alert_id


def as_alert(wanted: Digest, now: datetime) -> Alert:
    """What stands for a digest of the days up to `now` in the outbox."""
    return Alert(
        alert_id=digest_id(wanted.name, now.date()),
        rule=wanted.name,
        board="",
        kind=KIND,
        entity=wanted.name,
        rival="",
        state="firing",
        day=now.date(),
        confirmed_day=now.date(),
        title=f"digest {wanted.name} of {now.date()}",
        value=0.0,
        rival_value=0.0,
        margin=0.0,
        definition="",
        snapshot_id=0,
        confirm=wanted.days,
    )


def compose(db: Database, alert: Alert, boards: tuple[str, ...], *, now: datetime, link: str | None = None) -> Message:
    """The message of a queued digest, from what the warehouse knows of its days; `now` may be long after them."""
    until, since = alert.day, alert.day - timedelta(days=alert.confirm)
    period = {"since": since, "until": until}
    ledger = Ledger(db)
    weeks = [week for week in _weeks(db, period) if not boards or week.now.board in boards]
    return digest(
        sorted(weeks, key=lambda week: boards.index(week.now.board)) if boards else weeks,
        [ledger.alert(row[0]) for row in db.rows(sql("digest_alerts"), period)],
        [ledger.alert(row[0]) for row in db.rows(sql("digest_contested"))],
        [(day, reason) for day, reason in db.rows(sql("digest_trouble"), period)],
        now,
        day=alert.day,
        name=alert.entity,
        days=alert.confirm,
        link=link,
    )


def _weeks(db: Database, period: dict[str, date]) -> list[BoardWeek]:
    return [
        BoardWeek(
            _standing(db, board, now),
            _standing(db, board, before) if before else None,
            definition,
            entity,
            Reading(db).outlooks(board, at=now, top=TOP),
            Reading(db).first(board, at=now),
        )
        for board, definition, entity, now, before in db.rows(sql("digest_boards"), period)
    ]


def _standing(db: Database, board: str, day: date) -> Standing:
    rows = db.rows(sql("digest_standing"), {"board": board, "day": day, "top": _DEPTH})
    return Standing(board, day, rows[0][0] if rows else 0, {entity: value for _, entity, value in rows})
