"""The commands that look back: why the lead changed, and since when somebody leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.common import FormatOption, reading
from monitor.output import Format, print_rows
from warehouse.errors import LeadchangeError

if TYPE_CHECKING:  # polars, which the program's other commands can do without
    from warehouse.changes.explain import Explanation
    from warehouse.changes.when import Dated, Passage
    from warehouse.db import Database


def explain(
    flip_id: Annotated[str, typer.Argument(metavar="FLIP_ID", help="As `leadchange flips` prints it.")],
    form: FormatOption = Format.table,
) -> None:
    """Why it flipped: what moved the gap, by kind of models and by name."""
    from warehouse.changes import explain as explaining  # noqa: PLC0415 polars

    with reading() as published:
        try:
            found = explaining.of_flip(published.db, flip_id)
        except explaining.NoFlipError as unknown:
            raise _became_of(published.db, flip_id) or unknown from None
    if form is Format.table:
        _tell(found)
        return
    print_rows([*_part_rows(found), *_mover_rows(found)], list(_ROW), form)


def _became_of(db: Database, flip_id: str) -> LeadchangeError | None:
    """What became of a flip that somebody was told of."""
    from monitor.web import lost  # noqa: PLC0415 DuckDB
    from warehouse.published.browsing import Browsing  # noqa: PLC0415 DuckDB

    gone = lost.became_of(Browsing(db), flip_id)
    if gone is None or gone.instead is None:
        return gone
    return LeadchangeError(f"{gone} `leadchange explain {gone.instead}` explains it.")


_ROW = ("kind", "name", "entity", "models", "before", "after", "change", "rival_change", "gap_change")


def _tell(found: Explanation) -> None:
    from alerts.names import spoken, with_names  # noqa: PLC0415 see cli.common

    entity, rival = (spoken(found.board_entity, name) for name in (found.entity, found.rival))
    typer.echo(f"{found.board}: {entity} passed {rival} on {found.day}; {found.verdict}.")
    typer.echo(found.definition)
    typer.echo(
        f"Its gap over {rival} was {found.gap_before:+,.0f} on {found.previous_day} "
        f"and {found.gap:+,.0f} on {found.day}: a change of {found.gap - found.gap_before:+,.0f}.\n"
    )
    print_rows(_part_rows(found), ["name", "models", "change", "rival_change", "gap_change"], Format.table)
    if found.movers:
        typer.echo("\nThe largest movers; a gain of the rival's counts against the gap.\n")
        movers = [with_names(row, found.board_entity) for row in _mover_rows(found)]
        print_rows(movers, ["name", "entity", "kind", "before", "after", "gap_change"], Format.table)


def _part_rows(found: Explanation) -> list[dict[str, Any]]:
    """Every part, and their sum."""
    parts = [
        _row("part", part.name, models=part.models, change=part.change, rival_change=part.rival_change,
             gap_change=part.gap_change)
        for part in found.parts
    ]  # fmt: skip
    sums: dict[str, Any] = {key: sum(part[key] for part in parts) for key in ("change", "rival_change")}
    known = [part.models for part in found.parts if part.models is not None]
    sums |= {"models": sum(known) if known else None, "gap_change": found.gap - found.gap_before}
    return [*parts, _row("total", "change of the gap", **sums)]


def _mover_rows(found: Explanation) -> list[dict[str, Any]]:
    return [
        _row(mover.part, mover.repo_id, entity=mover.entity, before=mover.before, after=mover.after,
             gap_change=mover.gap_change)
        for mover in found.movers
    ]  # fmt: skip


def _row(kind: str, name: str, **values: object) -> dict[str, Any]:
    return dict.fromkeys(_ROW) | {"kind": kind, "name": name} | values


def when(
    one: Annotated[str, typer.Argument(metavar="A", help="A family, publisher or country.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one of the same kind.")],
    form: FormatOption = Format.table,
) -> None:
    """When A passed B, under every definition that there is data for."""
    from alerts.names import country_code, spoken  # noqa: PLC0415 see cli.common
    from alerts.wording import capital  # noqa: PLC0415
    from warehouse.changes import when as dating  # noqa: PLC0415 polars

    with reading() as published:
        found = _crossings(published.db, one, other)
    rows = [_dated_row(dated) for dated in found]
    columns = ["measure", "scope", "first_led", "verdict", "leads_for_good", "good_verdict", "changes", "seen"]
    print_rows(
        rows if form is not Format.table else [row | _in_words(dated) for row, dated in zip(rows, found, strict=True)],
        columns,
        form,
        every=_DATED,
        empty=f"no day on which both {one} and {other} are known",
    )
    if form is Format.table and found:
        kind = found[0].board.entity
        names = (country_code(name) if kind == "country" else dating.spelt(name, found) for name in (one, other))
        who, whom = (spoken(kind, name) for name in names)
        typer.echo(f"\n{capital(dating.in_one_line(who, whom, found))}")


def _crossings(db: Database, one: str, other: str) -> list[Dated]:
    """When one passed the other; countries, which tables call by their codes, may be called by their names."""
    from alerts.names import country_code  # noqa: PLC0415 see cli.common
    from warehouse.changes import when as dating  # noqa: PLC0415 polars
    from warehouse.errors import NotKnownError  # noqa: PLC0415

    try:
        return dating.crossings(db, one, other)
    except NotKnownError:
        codes = country_code(one), country_code(other)
        if not set(codes) - {one, other}:
            raise
        return dating.crossings(db, *codes)


def _dated_row(dated: Dated) -> dict[str, Any]:
    crossing, board = dated.crossing, dated.board
    first, good = crossing.first, crossing.for_good
    return dict.fromkeys(_DATED) | {
        "measure": board.measure,
        "scope": None if board.series else board.scope,
        "entity": dated.entity,
        "rival": dated.rival,
        "first_led": first and first.by,
        "not_before": first and first.after,
        "verdict": (first and first.verdict) or None,
        "leads_for_good": good and good.by,
        "good_not_before": good and good.after,
        "good_verdict": (good and good.verdict) or None,
        "leads_now": crossing.leads,
        "changes": crossing.changes,
        "days": crossing.days,
        "seen_from": crossing.since,
        "seen_to": crossing.until,
        "definition": board.definition,
    }


_DATED = (
    "measure", "scope", "entity", "rival", "first_led", "not_before", "verdict",
    "leads_for_good", "good_not_before", "good_verdict", "leads_now", "changes", "days",
    "seen_from", "seen_to", "definition",
)  # fmt: skip
"""The columns of `when`, where there is no row, too."""


def _in_words(dated: Dated) -> dict[str, str | None]:
    """The days of a table's row as ranges: after the one day, by the other at the latest."""
    from warehouse.amounts import amount  # noqa: PLC0415 see cli.common

    crossing = dated.crossing
    return {
        "first_led": _range(crossing.first),
        "leads_for_good": _range(crossing.for_good),
        "seen": f"{amount(crossing.days, 'day')}, {crossing.since} to {crossing.until}",
    }


def _range(passage: Passage | None) -> str | None:
    if passage is None:
        return None
    return f"{passage.after} .. {passage.by}" if passage.after else f"from the first day, {passage.by}"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(explain)
    app.command()(when)
