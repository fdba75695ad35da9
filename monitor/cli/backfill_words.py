"""What a backfill says of itself: before it begins, and what it found."""

from __future__ import annotations

from typing import Any

from jobs.backfill import Report
from jobs.history.backfill_plan import Plan
from warehouse.amounts import amount
from warehouse.records import Snapshot

MOST_FLIPS = 20
"""So many flips are shown; `leadchange flips` has all of them."""
FLIP_COLUMNS = ["day", "board", "kind", "entity", "rival", "value", "rival_value", "margin", "verdict"]
_MOST_GAPS = 8
_MOST_DAYS = 10


def announcement(plan: Plan) -> list[str]:
    """What a run is going to read, and how long that takes."""
    days = plan.days
    if not days:
        here = f"{amount(plan.held, 'day')} already here, nothing more" if plan.held else "nothing"
        return [f"{plan.name}: {here} to read"]
    most = "at most " if any(part.many for part in plan.parts) else ""
    wanted = f"{most}{amount(len(days), 'day')} from {days[0]} to {days[-1]}"
    lines = [f"{plan.name}: {wanted}; {plan.held} {'is' if plan.held == 1 else 'are'} here already"]
    if plan.bytes is None:
        return [*lines, "  how much that is cannot be told: its first and last file cannot be read"]
    size = f"{_size(plan.bytes)} in about {amount(plan.requests, 'request')}, " if plan.bytes else ""
    speed = " at 10 MB/s" if plan.bytes else ""
    return [*lines, f"  about {size}{amount(plan.rows, 'row')}: {_duration(plan.seconds)}{speed}"]


def findings(report: Report) -> list[str]:
    """What a run found, in words."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.verdicts.items()))
    lines = [f"{report.name}: {amount(len(report.written), 'day')} written{f' ({verdicts})' if verdicts else ''}"]
    if report.covered:
        here = f"{amount(len(report.covered), 'day')} from {report.covered[0]} to {report.covered[-1]}"
        lines.append(f"  here now   {here}{f', {report.incomplete} of them not complete' if report.incomplete else ''}")
        missing = amount(sum((last - first).days + 1 for first, last in report.gaps), "day")
        shown = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in report.gaps[:_MOST_GAPS])
        more = f", and {len(report.gaps) - _MOST_GAPS} more" if len(report.gaps) > _MOST_GAPS else ""
        lines.append(f"  gaps       {f'{missing}: {shown}{more}' if report.gaps else 'none'}")
    lines += [f"  {snapshot.day} {snapshot.verdict}: {snapshot.verdict_reason}" for snapshot in _worth_saying(report)]
    lines += [f"  no rows    {file}" for file in report.empty[:_MOST_GAPS]]
    if report.bytes:
        lines.append(
            f"  read       {_size(report.bytes)} in {amount(report.requests, 'request')}, of which"
            f" {_size(report.needed)} are the columns used; {_duration(report.seconds)}"
        )
    leads = sum(flip["kind"] == "lead_change" for flip in report.flips)
    shown_flips = f"; {MOST_FLIPS}, these first:" if len(report.flips) > MOST_FLIPS else ""
    lines.append(
        f"  flips      {len(report.flips):,} on these days, {amount(leads, 'lead change')} among them{shown_flips}"
    )
    return lines


def flips_to_show(report: Report) -> list[dict[str, Any]]:
    """The flips that there is room for, lead changes first: a board of models has thousands of others."""
    first = sorted(report.flips, key=lambda flip: flip["kind"] != "lead_change")
    return first[:MOST_FLIPS] if len(first) > MOST_FLIPS else report.flips


def as_row(report: Report) -> dict[str, Any]:
    """The same for programs: one row."""
    return {
        "source": report.name,
        "days": len(report.covered),
        "first": report.covered[0] if report.covered else None,
        "last": report.covered[-1] if report.covered else None,
        "written": len(report.written),
        **{verdict: report.verdicts.get(verdict, 0) for verdict in ("complete", "partial", "suspect", "failed")},
        "incomplete": report.incomplete,
        "gaps": [f"{first}/{last}" for first, last in report.gaps],
        "flips": len(report.flips),
        "bytes": report.bytes,
        "bytes_needed": report.needed,
        "requests": report.requests,
        "seconds": round(report.seconds, 3),
        "empty": list(report.empty),
    }


def _worth_saying(report: Report) -> list[Snapshot]:
    """The first days written that are not complete."""
    return [snapshot for snapshot in report.written if snapshot.verdict != "complete"][:_MOST_DAYS]


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
