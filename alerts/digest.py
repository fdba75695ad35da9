"""The weekly digest: who stands where, what moved, what is contested, and where the data had trouble."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, islice
from typing import Any

from alerts import outlooks
from alerts.forms import Content, Section, safe_link
from alerts.message import NAMESPACE, SUMMARY_LIMIT, Message, bullets, clean, data_of, from_content
from alerts.names import entity_name, in_words, spoken
from alerts.text import chance, humanise, plain, together
from alerts.wording import BOARD, NAME, capital, day_of, headline
from warehouse.amounts import amount
from warehouse.forecasts.forecast import Outlook
from warehouse.records import Alert, Standing

TOP = 5
"""Places shown of each board."""

SOON = 0.25
"""Chance within 30 days from which a passage is worth a line."""

FORETOLD = 2
"""Such lines for each board."""

BOARDS = 12
"""Boards shown; the others are counted."""


@dataclass(frozen=True, slots=True)
class BoardWeek:
    """A board's standing now and as it was when the period began."""

    now: Standing
    before: Standing | None = None
    definition: str = ""
    entity: str = ""
    """What it ranks: family, publisher, country or model."""
    ahead: Sequence[Outlook] = ()
    """What may come, the likeliest first."""
    leaders: Sequence[str] = ()
    """Who leads: of equals who was first before; without any, all who are first."""


@dataclass(frozen=True, slots=True)
class Place:
    """An entity's place on a board. What is not known, such as a place before it was there, is None."""

    rank: int
    entity: str
    value: float
    change: float | None
    """Relative change of the value since the period began."""
    rank_before: int | None


def digest(
    standings: Sequence[BoardWeek],
    movements: Sequence[Alert],
    contested: Sequence[Alert],
    trouble: Sequence[tuple[date, str]],
    now: datetime,
    *,
    day: date | None = None,
    name: str = "weekly",
    days: int = 7,
    link: str | None = None,
) -> Message:
    """The digest of the days up to `day`.

    Args:
        standings: the boards, in the order in which they are shown.
        movements: what was told in these days.
        contested: the boards that are contested now, each as its alert of that kind.
        trouble: days that brought no complete snapshot, with the reason.
        now: when it is composed.
        day: its last day; that of `now` unless it is composed later. The same day gives the same `alert_id`.
        name: the digest's own name, so that several can go to one channel.
        days: how many it looks back on.
        link: leads to more.
    """
    day = day or now.date()
    newest = sorted(map(clean, movements), key=lambda alert: (day_of(alert), alert.alert_id), reverse=True)
    shown = [(week, places(week)) for week in standings[:BOARDS]]
    content = Content(
        headline=_headline(newest, day, days, ranked=bool(standings)),
        lede=_lede(shown),
        kicker="Digest",
        sections=[
            bullets("What happened", newest) if newest else Section("What happened", [("Nothing to report.",)], "l"),
            *(_table(week, ranked) for week, ranked in shown),
            *_rest(standings),
            *_lines("What may come within 30 days", [row for week, _ in shown for row in _ahead(week)]),
            *_lines("Contested", [(headline(in_words(clean(alert))),) for alert in contested]),
            *_lines("Data trouble", [(one.isoformat(), plain(why, 300)) for one, why in sorted(trouble, reverse=True)]),
        ],
        link=safe_link(link),
    )
    name = plain(name, NAME)
    return from_content(
        content,
        alert_id=digest_id(name, day),
        day=day,
        at=now,
        thread=f"digest/{name}",
        data={
            "kind": "digest",
            "since": (day - timedelta(days=days)).isoformat(),
            "boards": [_board_data(week, ranked) for week, ranked in shown],
            "alerts": [data_of(alert) for alert in newest],
            "contested": [data_of(clean(alert)) for alert in contested],
            "trouble": [{"day": one.isoformat(), "reason": plain(why, 300)} for one, why in trouble],
        },
    )


def digest_id(name: str, day: date) -> str:
    """The alert id of the digest of this name that is composed on a day."""
    return f"dig-{uuid.uuid5(NAMESPACE, f'digest/{plain(name, NAME)}/{day}').hex[:8]}"


def places(week: BoardWeek, top: int = TOP) -> list[Place]:
    """The first places of a board, each with what moved since the period began (pure)."""
    before = week.before.values if week.before is not None else {}
    ranks, now = _ranks(before), week.now.values
    return [
        Place(rank, entity, now[entity], _change(now[entity], before.get(entity)), ranks.get(entity))
        for entity, rank in islice(_ranks(now).items(), top)
    ]


def _ranks(values: Mapping[str, float]) -> dict[str, int]:
    """Entity -> its rank, the first one first; equal values share a rank, as on the board."""
    ranked = sorted(values, key=lambda entity: (-values[entity], entity))
    ranks: dict[str, int] = {}
    for _, equals in groupby(ranked, values.__getitem__):
        ranks |= dict.fromkeys(equals, len(ranks) + 1)
    return ranks


def _change(value: float, before: float | None) -> float | None:
    return (value - before) / before if before else None


def _headline(newest: Sequence[Alert], today: date, days: int, *, ranked: bool) -> str:
    """What came of these days; where nothing could be `ranked`, nobody knows whether a lead changed."""
    leads = sum(alert.kind == "lead_change" and alert.state == "firing" for alert in newest)
    nothing = "no lead changed" if ranked else "no board was ranked"
    said = amount(leads, "lead change") if leads else nothing
    others = len(newest) - leads
    more = f", {amount(others, 'other alert')}" if others else ""
    return f"{'Week' if days == 7 else amount(days, 'day')} to {today}: {said}{more}"


def _lede(shown: Sequence[tuple[BoardWeek, list[Place]]]) -> str:
    """Who leads the first boards, each leader once."""
    boards: dict[str, list[str]] = {}
    for week, ranked in shown[:4]:
        if ranked:
            boards.setdefault(_first(week, ranked), []).append(plain(week.now.board, BOARD))
    leaders = [f"{who} {' and '.join(where)}" for who, where in boards.items()]
    return capital(f"{', '.join(leaders)}.") if leaders else "No board was ranked in these days."


def _first(week: BoardWeek, ranked: Sequence[Place]) -> str:
    """`Qwen leads`; of equals none of whom was first before, nobody is taken for the leader by name."""
    first = week.leaders or [place.entity for place in ranked if place.rank == 1]
    names = [plain(spoken(week.entity, name), NAME) for name in first]
    return f"{names[0]} leads" if len(names) == 1 else f"{together(names)} together lead"


def _table(week: BoardWeek, ranked: Sequence[Place]) -> Section:
    rows = [
        (
            f"{p.rank}.",
            plain(entity_name(week.entity, p.entity), NAME),
            humanise(p.value),
            _percent(p.change),
            _moved(p, week),
        )
        for p in ranked
    ]
    heading = f"{plain(week.now.board, BOARD)}, {week.now.day}"
    return Section(heading, rows or [("", "nobody", "", "", "")], "rlrrl", note=plain(week.definition, 300))


def _percent(change: float | None) -> str:
    return "" if change is None else f"{change:+.1%}"


def _moved(place: Place, week: BoardWeek) -> str:
    if week.before is None:
        return ""
    if place.rank_before is None:
        return "new"
    up = place.rank_before - place.rank
    return f"up {up}" if up > 0 else f"down {-up}" if up < 0 else ""


def _ahead(week: BoardWeek) -> list[tuple[str, ...]]:
    """The passages that are likely soon, a line each."""
    return [
        (plain(week.now.board, BOARD), outlooks.in_words(week.entity, one), chance(one.within_30d))
        for one in _soon(week)
    ]


def _soon(week: BoardWeek) -> list[Outlook]:
    return sorted((one for one in week.ahead if one.within_30d >= SOON), key=lambda one: -one.within_30d)[:FORETOLD]


def _rest(standings: Sequence[BoardWeek]) -> list[Section]:
    more = len(standings) - BOARDS
    return [Section("More boards", [(f"+{more} more",)], "l")] if more > 0 else []


def _lines(heading: str, rows: Sequence[tuple[str, ...]]) -> list[Section]:
    if not rows:
        return []
    more = len(rows) - SUMMARY_LIMIT
    return [Section(heading, rows[:SUMMARY_LIMIT], "l" * len(rows[0]), note=f"+{more} more" if more > 0 else "")]


def _board_data(week: BoardWeek, ranked: Sequence[Place]) -> dict[str, Any]:
    return {
        "board": plain(week.now.board, BOARD),
        "day": week.now.day.isoformat(),
        "places": [
            {
                "rank": p.rank,
                "entity": plain(p.entity, NAME),
                "value": p.value,
                "change": p.change,
                "rank_before": p.rank_before,
            }
            for p in ranked
        ],
        "ahead": [
            {
                "entity": plain(one.entity, NAME),
                "rival": plain(one.rival, NAME),
                "within_30d": one.within_30d,
                "within_90d": one.within_90d,
                "within_180d": one.within_180d,
            }
            for one in _soon(week)
        ],
    }
