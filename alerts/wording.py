"""What is said about each kind of alert: headline, first sentence, facts. Its texts have been made harmless before.

What an alert counts is in `changes` (contested, settled: lead changes; mass_change: alerts held), in `value`
(source_trouble: days without a complete snapshot) or in `rival_value` (the milestone). A lead change or overtake that
continues another alert takes that one back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from alerts.forms import TITLE_LIMIT, Facts
from alerts.text import chance, chosen, humanise, percent, plain, versus
from warehouse.records import Alert

NAME, BOARD = 46, 32
"""Code points of an entity's and of a board's name: two of the one and one of the other fit into a headline."""

_COUNTED = {"contested", "settled", "mass_change"}
_REASON_SAID = {"correction", "source_trouble"}
_REPAIRS = {"correction", "revert"}
_KICKERS = {
    "lead_change": "Lead change",
    "overtake": "Overtake",
    "approaches": "Closing in",
    "enters_top": "New at the top",
    "leaves_top": "Gone from the top",
    "milestone": "Milestone",
    "source_trouble": "Data trouble",
    "contested": "Contested",
    "settled": "Settled",
    "correction": "Correction",
    "revert": "Reverted",
    "mass_change": "Held back",
    "silence_over": "Summary",
    "history": "Summary",
}


def title(kind: str, entity: str, rival: str, board: str, *, number: float | None = None, pair: bool = False) -> str:
    """The headline of an alert: one line, at most `TITLE_LIMIT` code points, without control characters.

    Args:
        kind: the alert's kind.
        entity: who it is about.
        rival: whom they passed, or who is next to them across the line below the top; may be empty.
        board: where.
        number: lead changes (contested, settled), alerts held (mass_change), days (source_trouble), the milestone, how
            far behind at most (approaches), or how many the top is (enters_top, leaves_top); None: not known.
        pair: contested, settled: whether it is about the order of these two, not about the lead.
    """
    who, whom, where = plain(entity, NAME), plain(rival, NAME), plain(board, BOARD)
    known = (_PAIR_HEADLINES if pair else {}).get(kind) or _HEADLINES.get(kind)
    made = known(who, whom, where, number) if known else f"{who}: {plain(kind, 30)} on {where}"
    return plain(capital(made), TITLE_LIMIT)


def capital(text: str) -> str:
    """The text with the article of a country in capitals where a sentence begins with it."""
    return re.sub(r"(^|\. )the ", r"\1The ", text)


def _times(number: float | None, one: str) -> str:
    """`1 lead change`, `5 lead changes`, `several lead changes`."""
    if number is None:
        return f"several {one}s"
    return f"{number:,.0f} {one}{'' if number == 1 else 's'}"


def roundly(number: float) -> str:
    """A number that somebody chose: `1B`, `1.5B`, without zeros that say nothing."""
    return re.sub(r"\.?0+(?=[kMBT]$)", "", humanise(number, 3))


def _top(number: float | None) -> str:
    return "the top" if number is None else f"the top {number:.0f}"


def _both(who: str, whom: str) -> str:
    return " and ".join(name for name in (who, whom) if name) or "this"


_HEADLINES: dict[str, Callable[[str, str, str, float | None], str]] = {
    "lead_change": lambda who, whom, where, _: f"{who} takes the lead{whom and f' from {whom}'} on {where}",
    "overtake": lambda who, whom, where, _: f"{who} passes {whom or 'its rival'} on {where}",
    "approaches": lambda who, whom, where, n: (
        f"{who} comes {'close to' if n is None else f'within {chosen(n)} of'} {whom or 'the leader'} on {where}"
    ),
    "enters_top": lambda who, whom, where, n: f"{who} enters {_top(n)} of {where}{whom and f', ahead of {whom}'}",
    "leaves_top": lambda who, whom, where, n: f"{who} leaves {_top(n)} of {where}{whom and f', behind {whom}'}",
    "milestone": lambda who, _, where, n: (
        f"{who} reaches {'a milestone' if n is None else roundly(n)} on {where}"
    ),
    "source_trouble": lambda who, _, where, __: (
        f"Trouble reading {'the source' if who in ('', 'source') else who}: {where or 'every board'} is on hold"
    ),
    "contested": lambda _, __, where, n: f"{where} is contested: {_times(n, 'lead change')}",
    "settled": lambda who, _, where, n: f"{where} has settled: {who} leads after {_times(n, 'lead change')}",
    "correction": lambda who, whom, where, _: f"Correction: what was said about {_both(who, whom)} on {where}",
    "revert": lambda who, whom, where, _: f"Reverted: {who} is ahead of {whom or 'its rival'} again on {where}",
    "silence_over": lambda who, *_: f"Changed while silenced: {who}",
    "history": lambda who, *_: f"What happened before: {who}",
    "mass_change": lambda who, _, __, n: (
        f"Mass change: {_times(n, 'alert') if n else who or 'many alerts'} from one snapshot are held"
    ),
}  # fmt: skip

_PAIR_HEADLINES: dict[str, Callable[[str, str, str, float | None], str]] = {
    "contested": lambda who, whom, at, n: f"{who} and {whom} keep passing each other on {at}: {_times(n, 'change')}",
    "settled": lambda who, whom, at, n: f"{who} stays ahead of {whom} on {at} after {_times(n, 'change')}",
}
"""Where it is about the order of two, whoever leads the board."""

_LEDES: dict[str, Callable[[Alert], str]] = {
    "lead_change": lambda a: f"{a.entity} now leads {a.board}. {a.rival or 'Nobody'} led before.",
    "overtake": lambda a: f"{a.entity} is now ahead of {a.rival or 'its rival'} on {a.board}.",
    "approaches": lambda a: (
        f"{a.entity} is {percent(abs(a.margin))} behind"
        f" {f'{a.rival}, which leads' if a.rival else 'the leader of'} {a.board}."
    ),
    "enters_top": lambda a: f"{a.entity} is now among the first of {a.board}.",
    "leaves_top": lambda a: f"{a.entity} is no longer among the first of {a.board}.",
    "milestone": lambda a: f"{a.entity} stands at {humanise(a.value)} on {a.board}.",
    "source_trouble": lambda a: (
        f"No complete snapshot for {_times(a.value or None, 'day')}{_because(a)}"
        f" No lead change is reported on {a.board or 'any board'} until the data can be trusted again."
    ),
    "contested": lambda a: (
        f"{_both(a.entity, a.rival)} keep passing each other: {_times(a.changes or None, _change(a))} so far."
        " Further ones are counted, not told, until one of them stays ahead."
    ),
    "settled": lambda a: f"{a.entity} has stayed ahead. From now on every {_change(a)} is told again.",
    "correction": lambda a: (
        f"What was said about {_both(a.entity, a.rival)} on {a.board} turned out wrong{_because(a)}"
    ),
    "revert": lambda a: f"The lead of {a.rival or 'its rival'} did not last: {a.entity} is ahead again.",
    "mass_change": lambda _: (
        "So many at once are more likely a fault in the data than news, so none of them was sent."
        ' Look at them with "leadchange alerts"; release with "leadchange alerts release".'
    ),
}


def _change(alert: Alert) -> str:
    return "change" if alert.pair else "lead change"


def _because(alert: Alert) -> str:
    """The reason as the end of a sentence."""
    return f": {alert.why.rstrip('.')}." if alert.why else "."


def headline(alert: Alert) -> str:
    """The headline of an alert as it stands: the one it was stored with, or a truer one that is known by now."""
    kind, number = _kind(alert), _number(alert)
    stored = "" if number is not None or kind != alert.kind else alert.title
    made = stored or title(kind, alert.entity, alert.rival, alert.board, number=number, pair=alert.pair)
    return plain(f"{_undone_word(alert)}: {made}" if _is_undone(alert) else made, TITLE_LIMIT)


def _kind(alert: Alert) -> str:
    return "revert" if alert.thread_of and alert.kind in {"lead_change", "overtake"} else alert.kind


def _number(alert: Alert) -> float | None:
    if alert.kind == "milestone":
        return alert.rival_value or None
    return alert.changes if alert.kind in _COUNTED and alert.changes else None


def _is_undone(alert: Alert) -> bool:
    return alert.state == "reverted" and _kind(alert) not in _REPAIRS and alert.kind != "contested"


def _undone_word(alert: Alert) -> str:
    return "Over" if alert.kind == "source_trouble" else "Reverted"


def _undone(alert: Alert) -> str:
    """What became of an alert that has ended by the time it is told; trouble also ends while a channel is down."""
    if alert.kind == "source_trouble":
        return "A complete snapshot has come since: lead changes are reported again."
    if alert.kind in {"lead_change", "overtake"}:
        return f"This no longer holds: {alert.rival or 'the former leader'} is ahead of {alert.entity} again."
    return "This no longer holds."


def lede(alert: Alert) -> str:
    """The first sentence or two."""
    if _is_undone(alert):
        return capital(_undone(alert))
    known = _LEDES.get(_kind(alert))
    return capital(known(alert)) if known else f"The rule {alert.rule} is satisfied by {alert.entity} on {alert.board}."


def kicker(alert: Alert) -> str:
    """What sort of message it is, in a word or two."""
    sort = _undone_word(alert) if _is_undone(alert) else _KICKERS.get(_kind(alert), "Alert")
    return f"{sort} · {alert.board}" if alert.board else sort


def tone(alert: Alert) -> str:
    """How the message looks: news, trouble or correction."""
    if _is_undone(alert) or _kind(alert) in _REPAIRS:
        return "correction"
    return "trouble" if alert.kind in {"source_trouble", "mass_change", "contested"} else "news"


def facts(alert: Alert) -> Facts:
    """What there is to know, as (label, value), the most wanted first; labels without a value are left out."""
    said = alert.kind in _REASON_SAID
    known = [
        *numbers(alert),
        ("Since", alert.day.isoformat()),
        ("Confirmed", _confirmed(alert)),
        ("Alerts" if alert.kind == "mass_change" else "Why", "" if said else alert.why),
        ("Outlook", _outlook(alert)),
        ("Data", alert.quality),
        ("Rule", "" if alert.kind == "mass_change" else alert.rule),
        ("Snapshot", str(alert.snapshot_id or "")),
    ]
    return [(label, value) for label, value in known if value]


def _outlook(alert: Alert) -> str:
    """How sure it is that it lasts, or comes; nothing where that is not known, or over."""
    if _is_undone(alert):
        return ""
    if alert.passes_30d is not None:
        return f"{chance(alert.passes_30d)} chance that {alert.entity} is ahead within 30 days"
    if alert.rival_back_30d is not None:
        return f"{chance(alert.rival_back_30d)} chance that {alert.rival} is ahead again within 30 days"
    return ""


def numbers(alert: Alert) -> Facts:
    """By how much; nothing where the alert is not about two values."""
    if alert.kind in {"mass_change", "source_trouble"}:
        return []
    if alert.kind == "milestone" or not alert.rival:
        return [("Value", humanise(alert.value))]
    both = versus(alert.value, alert.rival_value)
    label = "Behind by" if alert.margin < 0 or alert.value < alert.rival_value else "Ahead by"
    how_much = f"{percent(abs(alert.margin))} ({both})"
    return [("As told", f"{label.lower()} {how_much}")] if alert.kind == "correction" else [(label, how_much)]


def _confirmed(alert: Alert) -> str:
    if alert.kind in _REASON_SAID | _COUNTED:
        return ""
    if alert.confirmed_day is None:
        return "not yet"
    if alert.confirm <= 1:
        return f"{alert.confirmed_day}, by one complete day"
    return f"{alert.confirmed_day}, after {alert.confirm} complete days in a row"


def bullet(alert: Alert) -> str:
    """An alert as one line among others."""
    how_much = "".join(f"; {label.lower()} {value}" for label, value in numbers(alert))
    return f"{headline(alert)}{how_much} [{short_id(alert.alert_id)}]"


def short_id(alert_id: str) -> str:
    """The part of an alert's identifier that every message shows."""
    return plain(alert_id, 40)[:12]


def day_of(alert: Alert) -> date:
    """The day that confirmed the alert; else its first."""
    return alert.confirmed_day or alert.day
