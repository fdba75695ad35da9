"""Commands about what is on its way: the outbox and its dead letters, a channel put to the test, a digest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alerts.masking import masked
from monitor.cli.common import FormatOption, reading, say, settings
from monitor.clock import utc_now
from monitor.output import Format, print_rows
from warehouse.amounts import amount
from warehouse.errors import NotKnownError, WarehouseError

if TYPE_CHECKING:
    from jobs.digest import Digest
    from monitor.config import Settings
    from monitor.wiring import App
    from warehouse.published.reading import Reading, Rows

_COLUMNS = ["alert_id", "channel", "status", "attempts", "sent_at", "last_error"]


def listed(
    context: typer.Context,
    payload: Annotated[
        bool, typer.Option("--payload", help="With what was to be said, of everything that is not sent.")
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """What was sent, what failed and why; JSON and CSV hold what dead letters were to say."""
    if context.invoked_subcommand is not None:
        return
    from warehouse.state.outbox import Outbox  # noqa: PLC0415 DuckDB

    chosen = settings()
    with reading(chosen) as published:
        rows: Rows = (found := published.deliveries())
        refusing = Outbox(published.db).refusing()
        if payload or form is not Format.table:
            wanted = ("dead", "pending", "sending") if payload else ("dead",)
            rows = [row | {"payload": _payload(chosen, published, row, wanted)} for row in rows]
    if form is Format.csv:
        rows = [row | {"payload": json.dumps(row["payload"]) if row["payload"] else None} for row in rows]
    print_rows(rows, _COLUMNS, form, every=[*found.columns, "payload"], empty="nothing was queued yet")
    if payload and form is Format.table:
        _tell(rows)
    from jobs.deliver import in_words  # noqa: PLC0415 channels and their clients, for a rare line

    held = Counter(row["channel"] for row in rows if row["held_since"] is not None)
    for health in refusing:
        say(in_words(health, held[health.channel]))


def _payload(
    chosen: Settings, published: Reading, row: Mapping[str, Any], wanted: tuple[str, ...]
) -> dict[str, Any] | None:
    """What a delivery was to say, as a webhook would be told it."""
    if row["status"] not in wanted:
        return None
    from monitor.wiring import App  # noqa: PLC0415 the whole application
    from warehouse.records import Delivery  # noqa: PLC0415 DuckDB

    delivery = Delivery(row["alert_id"], row["channel"], row["status"], row["attempts"])
    message = App(chosen, published.db).message_of(delivery)
    content = {"title": message.title, "text": message.text, "link": message.link, "data": message.data}
    plain: dict[str, Any] = json.loads(masked(json.dumps(content)))
    return plain


def _tell(rows: Rows) -> None:
    """What each was to say, below the table."""
    for row in rows:
        if row["payload"]:
            typer.echo(f"\n{row['alert_id']} to {row['channel']}, {row['status']}:\n")
            typer.echo(row["payload"]["text"].rstrip())


def retry(
    alert: Annotated[str, typer.Option("--alert", help="Only of this alert.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="Only to this channel.")] = "",
) -> None:
    """Queue again what was refused for good, and try channels again that refuse everything."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application
    from warehouse.published.reading import Reading  # noqa: PLC0415 DuckDB
    from warehouse.state.outbox import Outbox  # noqa: PLC0415 DuckDB

    with open_app(settings()) as application:
        rows = Reading(application.db).deliveries()
        for what, name, column in (
            ("of an alert with the id", alert, "alert_id"),
            ("to a channel called", channel, "channel"),
        ):
            known = {row[column] for row in rows}
            if name and name not in known:
                raise NotKnownError("delivery", name, known, f"is {what}")
        count = Outbox(application.db).retry(alert_id=alert, channel=channel)
        application.publish()
    say(f"{amount(count, 'delivery', 'deliveries')} queued again; `leadchange deliver` sends them")


def send_test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in the configuration.")],
) -> None:
    """Send a marked test message through one channel; if it takes that, what is held for it is due again."""
    from alerts.message import test_message  # noqa: PLC0415 the wording
    from monitor.wiring import build  # noqa: PLC0415 the whole application

    chosen = settings()
    receipt = build(chosen.channel(channel)).send(test_message(channel, utc_now()))
    say(f"{channel} took the test message{f' ({receipt.id})' if receipt.id else ''}")
    _readmit(chosen, channel)


def _readmit(chosen: Settings, channel: str) -> None:
    """Let a channel that took a message get what is held for it, if it was refusing everything."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application
    from warehouse.state.outbox import Outbox  # noqa: PLC0415 DuckDB

    if not chosen.warehouse.publish.exists():
        return
    with reading(chosen) as published:
        if Outbox(published.db).health(channel).refused_since is None:
            return
    try:
        with open_app(chosen, patience=5) as application:
            Outbox(application.db).readmit(channel)
            application.publish()
    except WarehouseError:
        say(f"what is held for {channel} goes out within the hour, when the daemon tries it again")
    else:
        say(f"what was held for {channel} is due; `leadchange deliver` sends it")


def digest(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The digest; the first one when left out.")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what it would say now; queue nothing.")] = False,
) -> None:
    """Queue a digest now, once a day however often asked; or look at what it would say."""
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common
    from monitor.wiring import App, open_app  # noqa: PLC0415 the whole application

    chosen = settings()
    wanted = chosen.digest(name) if name else next(iter(chosen.digests), None)
    if wanted is None:
        raise ConfigError(["no [[digest]] is configured: write one to have it sent"])
    if preview:
        with reading(chosen) as published:
            typer.echo(App(chosen, published.db).preview(wanted).text.rstrip())
        return
    with open_app(chosen) as application:
        before = _statuses(application, wanted)
        application.digest(wanted)
    say(f"digest {wanted.name} {_what_became(wanted.channels, before)}")


def _statuses(application: App, wanted: Digest) -> dict[str, str]:
    """Channel -> what became of today's digest there, where it was queued already."""
    from jobs import digest  # noqa: PLC0415 the wording
    from warehouse.published.reading import Reading  # noqa: PLC0415 DuckDB

    mine = digest.as_alert(wanted, application.now()).alert_id
    rows = Reading(application.db).deliveries()
    return {row["channel"]: row["status"] for row in rows if row["alert_id"] == mine}


def _what_became(channels: Collection[str], before: Mapping[str, str]) -> str:
    """What is true of a digest that was asked for, by what there was before (pure)."""
    found = {before.get(channel, "new") for channel in channels}
    if not found:
        return "has no channels: nobody is told"
    if "new" in found:
        return "is queued; `leadchange deliver` sends it"
    if found & {"pending", "sending"}:
        return "was queued today already; `leadchange deliver` sends it"
    if "dead" in found:
        return "was refused today; `leadchange deliveries retry` queues it again"
    return "was sent today already: it comes once a day, and nothing is queued"


def register(app: typer.Typer, deliveries: typer.Typer) -> None:
    """Add these commands to the program."""
    deliveries.callback(invoke_without_command=True)(listed)
    deliveries.command("retry")(retry)
    app.command("send-test")(send_test)
    app.command()(digest)
