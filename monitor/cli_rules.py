"""Commands about rules: what they would have said, whether they say what they should, and what is muted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from alerts import rule_tests
from alerts.engine import Event
from alerts.rules import Rule
from jobs import backtest as backtesting
from jobs import tell
from monitor import config
from monitor.cli_common import DayOption, FormatOption, as_day, reading, say, settings
from monitor.output import Format, line_chart, print_rows
from warehouse.ledger import Ledger
from warehouse.outbox import Outbox, silence_id
from warehouse.records import Silence, Standing

silence = typer.Typer(help="Mute rules, boards or entities for a while.", no_args_is_help=True, rich_markup_mode=None)


def backtest(
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule.")] = None,
    since: DayOption = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="A table of confirm x margin instead, to choose by.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.png", help="Draw the race that was told of last.")
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """What the rules would have said over the stored history; never sends. With --rule the race is drawn below."""
    chosen = settings()
    rules = [chosen.rule(rule)] if rule else [one for one in chosen.rules if one.when != "source_trouble"]
    with reading(chosen) as published:
        ledger = Ledger(published.db)
        if sweep:
            _print_sweeps(ledger, rules, as_day(since), form)
            return
        told = [(one, alert) for one in rules for alert in _backtest(ledger, one, as_day(since))]
        _print_backtests([alert for _, alert in told], form)
        if told and (chart or (rule and form is Format.table)):
            _draw(
                ledger, max(told, key=lambda pair: pair[1].confirmed_day)[0], [a for _, a in told], as_day(since), chart
            )


def _backtest(ledger: Ledger, rule: Rule, since: date | None) -> list[backtesting.Told]:
    return backtesting.run(_standings(ledger, rule, since), [rule], lambda event: holds(ledger, event))


def _print_backtests(told: list[backtesting.Told], form: Format) -> None:
    columns = ["rule", "event", "entity", "rival", "first_lead", "confirmed_day", "delay_days", "margin", "held"]
    rows = [asdict(alert) for alert in told]
    print_rows(rows, [*columns, "lost_after_days"], form, empty="the rules would have said nothing")


def _draw(ledger: Ledger, rule: Rule, told: list[backtesting.Told], since: date | None, chart: Path | None) -> None:
    """The two of whom a rule told last, over the whole history, and when it told: on the terminal, or as a PNG."""
    mine = [alert for alert in told if alert.rule == rule.name and not alert.held] or told
    last = mine[-1]
    pair = [name for name in (last.entity, last.rival) if name]
    days = [day for day in _standings(ledger, rule, since) if any(name in day.values for name in pair)]
    title = f"{rule.name}: {' and '.join(pair)} on {rule.board}"
    if chart is not None:
        from alerts.charts import png, race_chart  # noqa: PLC0415 Altair takes a second

        rows = [(day.day, name, day.values[name]) for day in days for name in pair if name in day.values]
        try:
            chart.write_bytes(png(race_chart(rows, title=title, flip=last.day, axis="near")))
        except OSError as error:
            raise config.ConfigError([f"{chart} cannot be written: {error.strerror}"]) from None
        say(f"{chart} written")
        return
    lines = {name: [(day.day, day.values[name]) for day in days if name in day.values] for name in pair}
    values = [value for line in lines.values() for _, value in line]
    marks = {
        f"told {alert.confirmed_day}": [(alert.confirmed_day, min(values)), (alert.confirmed_day, max(values))]
        for alert in mine
        if set(pair) == {alert.entity, alert.rival}
    }
    typer.echo(line_chart(title, lines | marks))


def _print_sweeps(ledger: Ledger, rules: list[Rule], since: date | None, form: Format) -> None:
    rows = []
    for rule in rules:
        standings = _standings(ledger, rule, since)
        outcomes = backtesting.sweep(standings, rule, lambda event: holds(ledger, event))
        rows += [{"rule": rule.name, **outcome._asdict()} for outcome in outcomes]
    columns = ["rule", "confirm", "margin", "alerts", "reverted_30", "reverted_90", "median_delay_days"]
    print_rows(rows, columns, form, empty="no rules to try")


def _standings(ledger: Ledger, rule: Rule, since: date | None) -> list[Standing]:
    return ledger.standings_since(rule.board, since or date.min, rule.between)


def holds(ledger: Ledger, event: Event) -> bool | None:
    """Whether the models bear a flip out, as detection judges it."""
    return ledger.worth(event.board, event.entity, event.rival, event.since)[1]


def test_rules(files: Annotated[list[Path], typer.Argument(metavar="FILE...")]) -> None:
    """Unit tests for rules, in the manner of `promtool test rules`."""
    failed = total = 0
    for path in files:
        for outcome in _outcomes(path):
            total += 1
            failed += not outcome.passed
            typer.echo(f"{'ok  ' if outcome.passed else 'FAIL'} {path.name}: {outcome.name}")
            for line in outcome.diff():
                typer.echo(f"       {line}")
    say(f"{total - failed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)


def _outcomes(path: Path) -> list[rule_tests.Outcome]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise rule_tests.RuleTestError(f"{path}: cannot be read: {error.strerror}") from None
    file = rule_tests.parse(text, path.name)
    configured = config.load(path.parent / file.config).rules if file.config else ()
    return [rule_tests.run(test, [*configured, *file.rules]) for test in file.tests]


@silence.command("add")
def silence_add(
    reason: Annotated[str, typer.Option(help="Why; it is shown with every message it mutes.")],
    author: Annotated[str, typer.Option(help="Who asks for it.")],
    rule: Annotated[str, typer.Option(help="Only this rule.")] = "",
    board: Annotated[str, typer.Option(help="Only this board.")] = "",
    entity: Annotated[str, typer.Option(help="Only alerts about this entity.")] = "",
    hours: Annotated[float, typer.Option(min=0.01, help="How long it lasts.")] = 24.0,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="When it ends (UTC), instead of --hours."),
    ] = None,
) -> None:
    """Mute alerts by rule, board or entity until an end."""
    from monitor.wiring import open_app, utc_now  # noqa: PLC0415 the whole application

    chosen = settings()
    _known(chosen, rule, board)
    now = utc_now()
    end = until.replace(tzinfo=now.tzinfo) if until else now + timedelta(hours=hours)
    if not (rule or board or entity):
        raise config.ConfigError(["a silence needs --rule, --board or --entity"])
    if end <= now:
        raise config.ConfigError([f"the silence would end before it begins ({end:%Y-%m-%d %H:%M} UTC)"])
    made = Silence(silence_id(rule, board, entity, now), rule, board, entity, now, end, author, reason)
    with open_app(chosen) as application:
        application.write(lambda db: Outbox(db).add_silence(made))
    typer.echo(made.silence_id)


def _known(chosen: config.Settings, rule: str, board: str) -> None:
    """Refuse a silence about something that does not exist."""
    if rule:
        chosen.rule(rule)
    if board:
        chosen.board(board)


@silence.command("list")
def silence_list(form: FormatOption = Format.table) -> None:
    """Every silence, newest first."""
    with reading() as published:
        rows = [asdict(one) for one in Outbox(published.db).silences()]
    columns = ["silence_id", "rule", "board", "entity", "starts_at", "ends_at", "author", "reason"]
    print_rows(rows, columns, form, empty="nothing is muted")


@silence.command("expire")
def silence_expire(which: Annotated[str, typer.Argument(metavar="SILENCE_ID")]) -> None:
    """End a silence now."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application
    from warehouse.errors import NotKnownError  # noqa: PLC0415

    with open_app(settings()) as application:
        known = {one.silence_id for one in Outbox(application.db).silences()}
        if which not in known:
            raise NotKnownError("silence", which, known)
        application.write(lambda db: Outbox(db).expire_silence(which, application.now()))


def release() -> None:
    """Tell the alerts that were held back because one snapshot brought too many."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    with open_app(settings()) as application:
        rules = {rule.name: rule for rule in application.settings.rules}
        count = tell.release(application.db, rules, application.now())
        application.publish()
    say(f"{count} alerts released; `leadchange deliver` sends them")


def retry(
    alert: Annotated[str, typer.Option("--alert", help="Only of this alert.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="Only to this channel.")] = "",
) -> None:
    """Queue again what was refused for good."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    with open_app(settings()) as application:
        count = Outbox(application.db).retry(alert_id=alert, channel=channel)
        application.publish()
    say(f"{count} deliveries queued again; `leadchange deliver` sends them")


def register(app: typer.Typer, alerts: typer.Typer, deliveries: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(backtest)
    app.command("test-rules")(test_rules)
    app.add_typer(silence, name="silence")
    alerts.command("release")(release)
    deliveries.command("retry")(retry)
