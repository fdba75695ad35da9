"""`leadchange forecast`: who may pass whom and by when, and how often what such forecasts said came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.common import FormatOption, as_day, reading, say, settings
from monitor.clock import utc_now
from monitor.output import Format, print_rows
from warehouse.amounts import amount

if TYPE_CHECKING:
    from warehouse.forecasts.forecast import History, Outlook
    from warehouse.ranking.boards import Board


def forecast(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The board; the first one when left out.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="As seen from this day, or the board's last before it."),
    ] = None,
    entity: Annotated[str | None, typer.Option("--entity", help="Only who may pass this one, or whom it may.")] = None,
    top: Annotated[int, typer.Option(min=2, max=50, help="Among so many first places.")] = 10,
    least: Annotated[
        float, typer.Option(min=0, max=1, help="Only what comes within 180 days with at least this chance.")
    ] = 0.1,
    score: Annotated[
        bool, typer.Option("--score", help="How often such forecasts came true on this board, instead.")
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Who may pass whom on a board, with what chance and by when; see docs/forecasts.md."""
    chosen = settings()
    which = chosen.board(name) if name else chosen.boards[0]
    _refuse_models(which)
    if score and entity is not None:
        raise typer.BadParameter("it does not go with --score, which is of the whole board", param_hint="--entity")
    with reading(chosen) as published:
        if score:
            _print_scores(which, published.history(which.name, at=as_day(at), top=top, ever=True), top, form)
            return
        found = published.outlooks(which.name, at=as_day(at), top=top)
        leaders = published.first(which.name, at=as_day(at))
    about = _about(entity, found)
    if form is Format.table and found:
        from alerts.outlooks import on_the_lead  # noqa: PLC0415 see cli.common

        typer.echo(f"{which.name}, seen from {found[0].day}: the chance that one has passed the other by then")
        if lead := on_the_lead(which.entity, leaders, found):
            typer.echo(lead)
        if at is None and (ended := _ended(about, utc_now().date())):
            typer.echo(ended)
    _print_outlooks(which, about, least, form)


def _ended(about: Sequence[Outlook], today: date) -> str:
    """That the data end on a day from which on some of the days named have passed; empty where none has (pure)."""
    named = [day for one in about for day in (one.likely_from, one.even_by) if day is not None]
    if not any(day < today for day in named):
        return ""
    ended = f"The data end on {about[0].day}, {amount((today - about[0].day).days, 'day')} ago"
    return f"{ended}: days named below count from there, and some have passed."


def _about(entity: str | None, found: list[Outlook]) -> list[Outlook]:
    """What is about one of them, whatever the case; a country may be called by its name."""
    if entity is None or not found:
        return found
    from alerts.names import country_code  # noqa: PLC0415 see cli.common
    from warehouse.errors import NotKnownError  # noqa: PLC0415

    known = {name for one in found for name in (one.entity, one.rival)}
    asked = {entity} & known or {
        name for name in known if name.lower() in (entity.lower(), country_code(entity).lower())
    }
    if not asked:
        raise NotKnownError("one among the first", entity, known)
    return [one for one in found if asked & {one.entity, one.rival}]


def _refuse_models(which: Board) -> None:
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common
    from warehouse.forecasts.forecast import RANKED  # noqa: PLC0415

    if which.entity not in RANKED:
        raise ConfigError(
            [f"{which.name} ranks single models, which rise and fade too quickly to be forecast: see docs/forecasts.md"]
        )


def _print_outlooks(which: Board, asked: Sequence[Outlook], least: float, form: Format) -> None:
    from alerts.names import with_names  # noqa: PLC0415 see cli.common
    from warehouse.forecasts.forecast import Outlook  # noqa: PLC0415 see cli.common

    found = [one for one in asked if one.within_180d >= least]
    print_rows(
        [with_names(asdict(one), which.entity if form is Format.table else None) for one in found],
        ["entity", "rival", "margin", "within_30d", "within_90d", "within_180d", "likely_from", "even_by"],
        form,
        every=[field.name for field in fields(Outlook)],
        empty=f"no chance of {least:.0%} or more within 180 days: --least 0 shows all"
        if asked
        else "nothing can be forecast: it takes two who were both seen on days that are 28 days apart",
    )
    left = len(asked) - len(found)
    if form is Format.table and left and found:
        are = "is" if left == 1 else "are"
        typer.echo(f"\n{left} with less than {least:.0%} within 180 days {are} left out: --least 0 shows all.")


def _print_scores(which: Board, history: History, top: int, form: Format) -> None:
    from warehouse.forecasts import forecast as forecasting  # noqa: PLC0415
    from warehouse.forecasts import scoring  # noqa: PLC0415

    said = list(scoring.told(history, totals=which.measure in forecasting.ACCUMULATE, top=top))
    rows = [asdict(score) for score in scoring.scores(said)]
    print_rows(
        rows,
        [field.name for field in fields(scoring.Score)],
        form,
        empty=f"no forecast on {which.name} is old enough to say how it did",
    )
    if form is Format.table and rows:
        typer.echo("\nBy the chance that was said, whatever the horizon:\n")
        print_rows(_bins(scoring.bins(said)), ["chance", "forecasts", "said", "came"], form)
        say(
            "Skill is 1 - Brier score / that of always saying how many came; 0 is none. What neighbouring days say is"
            " nearly the same: these are far fewer independent forecasts."
        )


def _bins(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"chance": f"{one.low:.0%} to {one.high:.0%}", "forecasts": one.forecasts, "said": one.said, "came": one.came}
        for one in found
    ]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(forecast)
