"""What an alert says, as plain text, as HTML and as Slack blocks. The words of each kind are in `alerts.wording`.

An alert becomes a headline, a sentence, the board's definition and a list of labelled facts; the three forms are the
same content in different dress (`alerts.forms`). Names in an alert come from outside and are hostile until
`alerts.text` had them.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Literal

from alerts.forms import CHART_CID, TITLE_LIMIT, Content, Section, dress, safe_link
from alerts.names import in_words
from alerts.text import plain
from alerts.wording import BOARD, NAME, bullet, day_of, facts, headline, kicker, lede, short_id, title, tone
from warehouse.amounts import amount
from warehouse.records import Alert

SUMMARY_LIMIT = 10
"""Alerts listed in a summary; the others are counted."""

NAMESPACE = uuid.UUID("6f0d8a52-54b5-5d0e-9d0b-0c7f5a3c1e77")
"""Root of every identifier derived from alerts: summaries, Message-IDs."""

Occasion = Literal["outage", "silence", "past"]

SILENCE_OVER, HISTORY = "silence_over", "history"
"""The kinds of alerts that stand for others and tell them: what a silence muted, what is long past when it is found."""

TELLERS: dict[str, Occasion] = {SILENCE_OVER: "silence", HISTORY: "past"}

_SENTENCE = 400


@dataclass(frozen=True, slots=True)
class Message:
    """An alert in words, ready for every channel. All its text is harmless in the form that it is for."""

    alert_id: str
    title: str
    """One line, at most `TITLE_LIMIT` code points, not escaped for anything."""
    text: str
    html: str
    blocks: list[dict[str, Any]] = field(repr=False)
    """Slack Block Kit, within its limits."""
    day: date
    """The day that confirmed the alert; else its first."""
    at: datetime
    """When the message was composed (UTC)."""
    thread: str
    """The same for all alerts that belong together: those of one rule on one board."""
    picture: bytes | None = field(default=None, repr=False)
    """A PNG; the HTML refers to it by `CHART_CID`."""
    settled: tuple[str, ...] = ()
    """Recipients who have it already, as the `ChannelError.settled` of earlier attempts said."""
    reply_to: str | None = None
    """The channel's own receipt for the message that this one continues: a correction, a revert, a settlement."""
    link: str | None = None
    """Where there is more; safe to print."""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The same as plain data for programs: what `json.dumps` takes."""
    problems: tuple[str, ...] = ()
    """What went wrong while it was composed, for whoever runs this: the message is whole all the same."""


def compose(
    alert: Alert,
    *,
    also: Sequence[Alert] = (),
    link: str | None = None,
    picture: bytes | None = None,
    now: datetime | None = None,
    reply_to: str | None = None,
) -> Message:
    """The message about `alert`.

    Args:
        alert: what to tell.
        also: alerts that this one tells beside its own, each in a line: a family's flip inside its country's; when
            it stands for others, those.
        link: leads to more.
        picture: a PNG.
        now: dates the mail; the alert's day when None.
        reply_to: the channel's receipt for the message to continue.
    """
    if alert.kind in TELLERS and also:
        return summary(also, occasion=TELLERS[alert.kind], link=link, now=now, alert_id=alert.alert_id)
    about, inner = clean(alert), [clean(one) for one in also]
    said = in_words(about)
    content = Content(
        headline=headline(said),
        lede=lede(said),
        kicker=kicker(said),
        tone=tone(said),
        definition=said.definition,
        facts=facts(said),
        sections=[Section("Within it", [(bullet(in_words(one)),) for one in inner], "l")] if inner else (),
        link=safe_link(link),
    )
    message = from_content(
        content,
        alert_id=about.alert_id,
        day=day_of(about),
        at=now or _midnight(day_of(about)),
        thread=f"{about.rule}/{about.board}",
        picture=picture,
        data={**data_of(about), "also": [data_of(one) for one in inner]},
    )
    return replace(message, reply_to=reply_to)


def test_message(channel_name: str, now: datetime) -> Message:
    """What `send-test` sends: unmistakably a test, and different each time."""
    name = plain(channel_name, NAME)
    content = Content(
        headline=f"TEST from leadchange: channel {name} works",
        lede="This is a test message. No lead has changed; nothing needs to be done.",
        kicker="Test",
        facts=[("Channel", name), ("Sent", f"{now:%Y-%m-%d %H:%M} UTC")],
    )
    alert_id = f"test-{uuid.uuid5(NAMESPACE, f'{channel_name}/{now.isoformat()}').hex[:7]}"
    return from_content(content, alert_id=alert_id, day=now.date(), at=now, thread="test", data={"kind": "test"})


def summary(
    alerts: Sequence[Alert],
    *,
    occasion: Occasion = "outage",
    link: str | None = None,
    now: datetime | None = None,
    alert_id: str = "",
) -> Message:
    """Several alerts as one message, newest first; past `SUMMARY_LIMIT` of them the rest is counted.

    Args:
        alerts: what to tell.
        occasion: `outage`: the channel is back after it could not be reached; `silence`: one has ended;
            `past`: it was found in stored history.
        link: leads to more.
        now: dates the mail; the last alert's day when None.
        alert_id: what it is known by; one that follows from its alerts when empty.

    Raises:
        ValueError: there is no alert to summarise.
    """
    if not alerts:
        raise ValueError("a summary needs at least one alert")
    newest = sorted(map(clean, alerts), key=lambda alert: (day_of(alert), alert.alert_id), reverse=True)
    first, last = day_of(newest[-1]), day_of(newest[0])
    count = amount(len(newest), "alert")
    when = str(first) if first == last else f"{first} to {last}"
    content = Content(
        headline=f"{_WHILE[occasion]}{count}, {when}",
        lede=_REASON[occasion],
        kicker="Summary",
        sections=[bullets("Newest first", newest)],
        link=safe_link(link),
    )
    identity = uuid.uuid5(NAMESPACE, " ".join([occasion, *sorted(alert.alert_id for alert in newest)]))
    return from_content(
        content,
        alert_id=alert_id or f"sum-{identity.hex[:8]}",
        day=last,
        at=now or _midnight(last),
        thread="summary",
        data={"kind": "summary", "occasion": occasion, "alerts": [data_of(alert) for alert in newest]},
    )


_WHILE: dict[Occasion, str] = {"outage": "", "silence": "Changed while silenced: ", "past": "What happened before: "}
_REASON: dict[Occasion, str] = {
    "outage": "They could not be delivered when they happened; each can be explained by its own identifier.",
    "silence": "A silence has ended. This is what it kept quiet; nothing of it is sent again.",
    "past": "Found in stored history, more than two weeks after it happened; nothing of it is sent by itself.",
}


def bullets(heading: str, newest: Sequence[Alert]) -> Section:
    """Alerts, cleaned and newest first, as lines with their days; those past `SUMMARY_LIMIT` are counted."""
    more = len(newest) - SUMMARY_LIMIT
    rows = [(day_of(alert).isoformat(), bullet(in_words(alert))) for alert in newest[:SUMMARY_LIMIT]]
    return Section(heading, rows, "ll", note=f"+{more} more" if more > 0 else "")


def data_of(alert: Alert) -> dict[str, Any]:
    """An alert, cleaned, as plain data: days as ISO dates, what is no number as null."""
    return {name: _as_json(value) for name, value in asdict(alert).items() if name != "history"}


def _as_json(value: Any) -> Any:  # noqa: ANN401 the fields of an alert have several types
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def clean(alert: Alert) -> Alert:
    """The alert with every text of it made harmless and short enough for all channels."""
    return replace(
        alert,
        alert_id=plain(alert.alert_id, 100),
        thread_of=plain(alert.thread_of, 100),
        rule=plain(alert.rule, NAME),
        board=plain(alert.board, BOARD),
        entity=plain(alert.entity, NAME),
        rival=plain(alert.rival, NAME),
        kind=plain(alert.kind, 30),
        state=plain(alert.state, 30),
        title=plain(alert.title, TITLE_LIMIT),
        definition=plain(alert.definition, _SENTENCE),
        quality=plain(alert.quality, _SENTENCE),
        why=plain(alert.why, _SENTENCE),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def from_content(
    content: Content,
    *,
    alert_id: str,
    day: date,
    at: datetime,
    thread: str,
    picture: bytes | None = None,
    data: Mapping[str, Any],
) -> Message:
    """The message that says `content`."""
    forms = dress(content, short_id(alert_id), picture=bool(picture))
    return Message(
        alert_id=alert_id,
        title=content.headline,
        text=forms.text,
        html=forms.html,
        blocks=forms.blocks,
        day=day,
        at=at,
        thread=thread,
        picture=picture,
        link=content.link,
        data=data,
        problems=forms.problems,
    )


__all__ = [
    "CHART_CID",
    "HISTORY",
    "NAMESPACE",
    "SILENCE_OVER",
    "SUMMARY_LIMIT",
    "TELLERS",
    "TITLE_LIMIT",
    "Message",
    "Occasion",
    "bullets",
    "clean",
    "compose",
    "data_of",
    "from_content",
    "short_id",
    "summary",
    "test_message",
    "title",
]
