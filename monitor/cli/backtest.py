"""`leadchange backtest`: what rules would have said over the stored history, and what they would have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.common import FormatOption, SinceOption, as_day, reading, say, settings
from monitor.output import Format, line_chart, print_rows

if TYPE_CHECKING:
    from alerts.rules import Rule
    from jobs import backtest as backtesting
    from warehouse.records import Standing
    from warehouse.state.ledger import Ledger


def backtest(
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule.")] = None,
    since: SinceOption = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="A table of confirm x margin instead, to choose by.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.png", help="Draw the race that was told of last.")
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """What the rules would have said over the stored history; never sends.

    With --since that day is taken for the first of it. With --rule the race is drawn below.
    """
    from jobs.telling import naming  # noqa: PLC0415 polars
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common
    from warehouse.state.ledger import Ledger  # noqa: PLC0415 DuckDB

    chosen = settings()
    rules = [chosen.rule(rule)] if rule else [one for one in chosen.rules if one.when != "source_trouble"]
    if sweep and chart is not None:
        raise typer.BadParameter("it does not go with --sweep, which tells of no race", param_hint="--chart")
    if rule and rules[0].when == "source_trouble":
        raise ConfigError([f"rule {rule} watches the source, whose past is not kept: there is nothing to test it on"])
    with reading(chosen) as published:
        ledger = Ledger(published.db)
        rules = naming.run(published.db, rules, chosen.boards, chosen.registry)
        if sweep:
            _print_sweeps(ledger, rules, as_day(since), form)
            return
        told = [(one, alert) for one in rules for alert in _backtest(ledger, one, as_day(since))]
        kinds = {board.name: board.entity for board in chosen.boards}
        _print_backtests(told, kinds, form, warned=any(one.when == "approaches" for one in rules))
        if told and (chart or (rule and form is Format.table)):
            last = max(told, key=lambda pair: pair[1].confirmed_day)[0]
            _draw(ledger, last, kinds.get(last.board, ""), [alert for _, alert in told], as_day(since), chart)
        elif chart is not None:
            say(f"{chart} is not written: nothing would have been told that could be drawn")


def _backtest(ledger: Ledger, rule: Rule, since: date | None) -> list[backtesting.Told]:
    from jobs import backtest as backtesting  # noqa: PLC0415 the engine

    return backtesting.run(_standings(ledger, rule, since), [rule], backtesting.borne_out(ledger))


def _print_backtests(
    told: list[tuple[Rule, backtesting.Told]], kinds: Mapping[str, str], form: Format, *, warned: bool
) -> None:
    """What would have been told; `kinds`: what boards rank; `warned`: some of it that somebody came near the lead."""
    from jobs import backtest as backtesting  # noqa: PLC0415 the engine

    columns = ["rule", "event", "entity", "rival", "first_lead", "confirmed_day", "delay_days", "margin", "held"]
    print_rows(
        [asdict(alert) | (_names(rule, kinds, alert) if form is Format.table else {}) for rule, alert in told],
        [*columns, "lost_after_days", *(["led_after_days"] if warned else [])],
        form,
        every=[field.name for field in fields(backtesting.Told)],
        empty="the rules would have said nothing",
    )


def _names(rule: Rule, kinds: Mapping[str, str], told: backtesting.Told) -> dict[str, str]:
    """Who was told of, and who it is measured against, for people."""
    kind = kinds.get(rule.board, "")
    return {
        who: _called(rule, kind, name, told) for who, name in (("entity", told.entity), ("rival", told.rival)) if name
    }


def _draw(
    ledger: Ledger, rule: Rule, kind: str, told: list[backtesting.Told], since: date | None, chart: Path | None
) -> None:
    """The two of whom a rule told last, over the whole history, and when it told: on the terminal, or as a PNG.

    `kind` is what its board ranks.
    """
    mine = [alert for alert in told if alert.rule == rule.name and not alert.held] or told
    last = mine[-1]
    pair = [name for name in (last.entity, last.rival) if name]
    days = [day for day in _standings(ledger, rule, since) if any(name in day.values for name in pair)]
    lines = {
        _called(rule, kind, name, last): [
            (day.day, value) for day in days if (value := _value(rule, name, last, day)) is not None
        ]
        for name in pair
    }
    title = f"{rule.name}: {' and '.join(lines)} on {rule.board}"
    if chart is not None:
        from alerts.charts import png, race_chart  # noqa: PLC0415 Altair takes a second

        drawn = ((day, name, value) for name, line in lines.items() for day, value in line)
        rows = sorted(drawn, key=lambda row: row[0])
        try:
            chart.write_bytes(png(race_chart(rows, title=title, flip=last.day, axis="near")))
        except OSError as error:
            from monitor import config  # noqa: PLC0415 see cli.common

            raise config.ConfigError([f"{chart} cannot be written: {error.strerror}"]) from None
        say(f"{chart} written")
        return
    values = [value for line in lines.values() for _, value in line]
    marks = {
        f"told {alert.confirmed_day}": [(alert.confirmed_day, min(values)), (alert.confirmed_day, max(values))]
        for alert in mine
        if set(pair) == {alert.entity, alert.rival}
    }
    typer.echo(line_chart(title, lines | marks))


def _is_number(rule: Rule, name: str, told: backtesting.Told) -> bool:
    """Whether a name in what was told is the number that somebody reached."""
    return rule.when == "milestone" and name == told.rival


def _called(rule: Rule, kind: str, name: str, told: backtesting.Told) -> str:
    """A name in what was told, for people: a country's, or a number as people write it."""
    from alerts.names import entity_name  # noqa: PLC0415 see cli.common
    from alerts.wording import roundly  # noqa: PLC0415

    return roundly(float(name)) if _is_number(rule, name, told) else entity_name(kind, name)


def _value(rule: Rule, name: str, told: backtesting.Told, day: Standing) -> float | None:
    """What a name in what was told had on a day; a number is always the same."""
    return float(name) if _is_number(rule, name, told) else day.values.get(name)


def _print_sweeps(ledger: Ledger, rules: list[Rule], since: date | None, form: Format) -> None:
    """One row for a rule, a confirm and a margin; on the terminal one grid for each rule."""
    from jobs import backtest as backtesting  # noqa: PLC0415 the engine

    swept, holds = [], backtesting.borne_out(ledger)
    for rule in rules:
        standings = _standings(ledger, rule, since)
        swept.append((rule, list(backtesting.sweep(standings, rule, holds))))
    if form is Format.table:
        _print_grids(swept)
    else:
        rows = [{"rule": rule.name, **outcome._asdict()} for rule, outcomes in swept for outcome in outcomes]
        print_rows(rows, ["rule", *backtesting.Outcome._fields], form)


def _print_grids(swept: list[tuple[Rule, list[backtesting.Outcome]]]) -> None:
    """What a rule would have told, by confirm (down) and margin (across)."""
    typer.echo("Alerts told, of them lost again within 90 days, and the median days from first lead to alert.")
    for rule, outcomes in swept:
        if not any(outcome.alerts for outcome in outcomes):
            typer.echo(f"\n{rule.name}: nothing, whatever its confirm and margin")
            continue
        typer.echo(f"\n{rule.name} on {rule.board}; now confirm = {rule.confirm}, margin = {rule.margin:.1%}\n")
        rows: dict[int, dict[str, Any]] = {}
        for outcome in outcomes:
            row = rows.setdefault(outcome.confirm, {"confirm": outcome.confirm})
            row[f"margin {outcome.margin:.0%}"] = _cell(outcome)
        print_rows(list(rows.values()), list(next(iter(rows.values()))), Format.table)


def _cell(outcome: backtesting.Outcome) -> str:
    if not outcome.alerts:
        return "-"
    lost = f", {outcome.reverted_90} lost" if outcome.reverted_90 else ""
    return f"{outcome.alerts}{lost}, {outcome.median_delay_days or 0:.0f} d"


def _standings(ledger: Ledger, rule: Rule, since: date | None) -> list[Standing]:
    return ledger.standings_since(rule.board, since or date.min, rule.between, first=rule.places)


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(backtest)
