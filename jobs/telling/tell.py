"""Tell: new alerts -> outbox. Folds what belongs together, and holds back what one snapshot brings too much of."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from alerts.contests import crossing
from alerts.engine import Event
from alerts.message import HISTORY, title
from alerts.names import in_words
from alerts.rules import RACES, Rule
from alerts.wording import day_of
from jobs.telling.afterwards import teller
from warehouse.amounts import amount
from warehouse.changes import lines, panel, worth
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import Alert
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox

BREAKER = 20
"""More alerts than this from one snapshot say more about the snapshot than about the race."""

PAST = timedelta(days=14)
"""What was confirmed longer ago than this when it is found is told as history, if there is much of it."""

MASS_CHANGE = "held: too many alerts from one snapshot; `leadchange alerts release` tells them"
"""Why an alert is held back by the breaker."""

NO_LONGER = "later data for these days no longer bears it out"
"""Why an alert is corrected of which nothing follows any more."""

NOT_BORNE_OUT = {
    panel.LIST_GROWTH: "it was so only because more repositories were listed",
    panel.UNCOUNTED: "it was so only because models were listed without a count",
}
"""Why one is corrected that the models do not bear out, by what is known now: verdict -> words."""

_NAMED = 5
"""Boards that a message about too many alerts names."""

_ALWAYS_TOLD = ("correction", "source_trouble")
"""Kinds that the breaker never holds back."""


class Fresh(NamedTuple):
    """An alert that is new, and whose rule it is."""

    alert: Alert
    rule: Rule


@dataclass(frozen=True, slots=True)
class Told:
    """What was queued, and how many alerts were held back."""

    titles: tuple[str, ...]
    held: int


def run(
    db: Database,
    fresh: Sequence[Fresh],
    rules: Mapping[str, Rule],
    boards: Mapping[str, Board],
    now: datetime,
    breaker: int = BREAKER,
    channels: Collection[str] | None = None,
) -> Told:
    """Queue what is new for the channels of its rules, a correction for those who were told what was wrong.

    Inside the caller's transaction. Nobody is corrected over a channel that is not among `channels` any more; None: all
    are there.
    """
    ledger, outbox = Ledger(db), Outbox(db)
    orphans = [Fresh(ledger.alert(one), rules[rule]) for one, rule in ledger.unfold_orphans() if rule in rules]
    fresh = list({item.alert.alert_id: item for item in [*orphans, *fresh]}.values())
    ledger.forget_alerts(ledger.idle_mass_changes(MASS_CHANGE))
    firing = [item for item in fresh if item.alert.state == "firing"]
    news = Counter(i.alert.snapshot_id for i in firing if i.alert.kind not in _ALWAYS_TOLD)
    crowded = {snapshot for snapshot, count in news.items() if count > breaker}
    mass: list[Fresh] = []
    calm: list[Fresh] = []
    for item in firing:
        held = item.alert.snapshot_id in crowded and item.alert.kind not in _ALWAYS_TOLD
        (mass if held else calm).append(item)
    titles = [_hold(ledger, outbox, [i for i in mass if i.alert.snapshot_id == one], now) for one in sorted(crowded)]
    readers = _readers(outbox, calm, channels)
    folded = _fold(ledger, calm, boards, readers)
    alone = [item for item in calm if item.alert.alert_id not in folded]
    titles += [alert.title for alert, _ in alone]
    outbox.queue_all([(alert.alert_id, channel) for alert, _ in alone for channel in readers[alert.alert_id]], now)
    _gather(ledger, outbox, [item for item in alone if _is_past(item.alert, now)], now, breaker)
    return Told(tuple(titles), len(mass))


def _readers(outbox: Outbox, items: Sequence[Fresh], channels: Collection[str] | None) -> dict[str, Sequence[str]]:
    """Alert -> the channels that are to tell it."""
    readers: dict[str, Sequence[str]] = {alert.alert_id: rule.channels for alert, rule in items}
    wrong = {alert.alert_id: alert.thread_of for alert, _ in items if alert.kind == "correction"}
    told = outbox.channels_told(wrong.values()) if wrong else {}
    for alert_id, about in wrong.items():
        readers[alert_id] = [one for one in told.get(about, ()) if channels is None or one in channels]
    return readers


def _is_past(alert: Alert, now: datetime) -> bool:
    """Whether it was no news any more when it was found: in imported history, or by a rule that is new."""
    return alert.kind not in _ALWAYS_TOLD and now.date() - day_of(alert) > PAST


def _gather(ledger: Ledger, outbox: Outbox, items: Sequence[Fresh], now: datetime, breaker: int) -> None:
    """Let one message a channel tell what is long past, when it is more than anybody wants to read one by one."""
    if len(items) <= breaker:
        return
    told = teller(HISTORY, [alert for alert, _ in items], now)
    pairs = [(alert.alert_id, channel) for alert, rule in items for channel in rule.channels]
    ledger.write_alert(told, slot=HISTORY, now=now)
    outbox.tell_all_in(pairs, told.alert_id)
    outbox.queue_all([(told.alert_id, channel) for _, channel in pairs], now)


def release(db: Database, rules: Mapping[str, Rule], now: datetime) -> int:
    """Tell what the breaker held back, but what the models do not bear out; how many alerts."""
    ledger, outbox, count = Ledger(db), Outbox(db), 0
    with db.transaction():
        held = [(ledger.alert(alert_id), rule) for alert_id, rule in ledger.held(MASS_CHANGE)]
        known = _worths(db, [(alert, rules.get(rule)) for alert, rule in held])
        for alert, rule in held:
            why, holds = known.get(alert.alert_id, worth.UNKNOWN)
            if holds is False:
                ledger.hold([alert.alert_id], why)
                continue
            count += 1
            ledger.release(alert.alert_id, why)
            for channel in rules[rule].channels if rule in rules else ():
                outbox.queue(alert.alert_id, channel, now)
    return count


def _worths(db: Database, alerts: Sequence[tuple[Alert, Rule | None]]) -> dict[str, worth.Worth]:
    """What the models say of alerts, of which that is known; asked for all at once. A rule may be there no more."""
    pairs = {a.alert_id: (a.board, a.entity, a.rival, a.day) for a, _ in alerts if a.kind in RACES}
    crossed = {
        alert.alert_id: crossing(rule, alert.entity, alert.day, alert.rival_value)
        for alert, rule in alerts
        if rule is not None and alert.kind == rule.when and alert.kind not in RACES
    }
    led, across = worth.of_pairs(db, set(pairs.values())), lines.of_crossings(db, crossed.values())
    return {one: led[pair] for one, pair in pairs.items() if pair in led} | {
        one: across[line] for one, line in crossed.items() if line in across
    }


def _hold(ledger: Ledger, outbox: Outbox, items: Sequence[Fresh], now: datetime) -> str:
    """Hold all alerts of one snapshot back, and say so once; the title of what is said."""
    ledger.hold([alert.alert_id for alert, _ in items], MASS_CHANGE)
    first, boards = items[0].alert, Counter(alert.board for alert, _ in items)
    mass = replace(
        first,
        alert_id=_derived(f"mass change {first.snapshot_id}"),
        rule=first.rule if len({rule.name for _, rule in items}) == 1 else "",  # who is muted is not all of them
        board=first.board if len(boards) == 1 else "",
        kind="mass_change",
        changes=len(items),
        entity=f"{len(items)} alerts",
        rival="",
        title=title("mass_change", f"{len(items)} alerts", "", first.board, number=len(items)),
        why=_where(boards),
    )
    ledger.write_alert(mass, slot="", now=now)
    for channel in sorted({channel for _, rule in items for channel in rule.channels}):
        outbox.queue(mass.alert_id, channel, now)
    return mass.title


def _where(boards: Counter[str]) -> str:
    """On which boards how many alerts are, those with most of them first; the boards past some are counted."""
    ranked = boards.most_common()
    others = ranked[_NAMED:]
    last = [(amount(len(others), "more board"), sum(count for _, count in others))] if others else []
    return ", ".join(f"{count:,} on {board}" for board, count in [*ranked[:_NAMED], *last])


def _fold(
    ledger: Ledger, items: Sequence[Fresh], boards: Mapping[str, Board], readers: Mapping[str, Sequence[str]]
) -> set[str]:
    """Let a country's message tell its families' flips, and a family's its models'; the ids that are told so.

    What one detection has to correct is one message to whoever is concerned.
    """
    folded: dict[str, str] = {}
    corrections: dict[frozenset[str], str] = {}
    same_day: dict[date | None, list[Fresh]] = defaultdict(list)
    for item in items:
        same_day[item.alert.confirmed_day].append(item)
    for inner in items:
        if inner.alert.kind == "correction":
            concerned = frozenset(readers[inner.alert.alert_id])
            first = corrections.setdefault(concerned, inner.alert.alert_id)
            if first != inner.alert.alert_id:
                folded[inner.alert.alert_id] = first
        board = boards.get(inner.alert.board)
        if board is None or inner.alert.kind not in RACES:
            continue
        above = ledger.parents(board.entity, (inner.alert.entity, inner.alert.rival))
        others = same_day[inner.alert.confirmed_day] if above else ()
        outer = next((item for item in others if _contains(item, inner, above, boards)), None)
        if outer is not None:
            folded[inner.alert.alert_id] = outer.alert.alert_id
    for alert_id in folded:
        ledger.fold(alert_id, _outermost(alert_id, folded))
    return set(folded)


def _contains(outer: Fresh, inner: Fresh, above: Mapping[str, str], boards: Mapping[str, Board]) -> bool:
    """Whether the outer flip is the inner one of the same day seen from further away: same measure, same channels."""
    a, b = outer.alert, inner.alert
    measures = {boards[name].measure for name in (a.board, b.board) if name in boards}
    return (
        a.alert_id != b.alert_id
        and (a.entity, a.rival) == (above.get(b.entity), above.get(b.rival))
        and len(measures) == 1
        and set(inner.rule.channels) <= set(outer.rule.channels)
    )


def _outermost(alert_id: str, folded: Mapping[str, str]) -> str:
    while alert_id in folded:
        alert_id = folded[alert_id]
    return alert_id


def correction(wrong: Alert, why: str) -> Alert:
    """What is said to who was told something that turned out wrong; in the same thread."""
    said = in_words(wrong)
    return replace(
        wrong,
        alert_id=_derived(f"correction {wrong.alert_id}"),
        kind="correction",
        state="firing",
        title=title("correction", said.entity, said.rival, wrong.board),
        why=why,
        thread_of=wrong.alert_id,
    )


def trouble(rule: Rule, event: Event, reason: str) -> Alert:
    """What is said when no complete snapshot comes."""
    return Alert(
        alert_id=event.alert_id,
        rule=rule.name,
        board=rule.board,
        kind="source_trouble",
        entity=event.entity,
        rival="",
        state="firing",
        day=event.since,
        confirmed_day=event.day,
        title=title("source_trouble", event.entity, "", rule.board),
        value=event.value,
        rival_value=event.rival_value,
        margin=0.0,
        definition="",
        snapshot_id=0,
        why=reason,
        confirm=rule.after_days,
    )


def _derived(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
