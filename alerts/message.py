"""All wording: what an alert says, as plain text, as HTML and as Slack blocks.

An alert becomes a headline, a sentence, the board's definition and a list of labelled facts; the three forms are the
same content in different dress. Names in an alert come from outside and are hostile until `alerts.text` had them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from alerts.text import html, humanise, percent, plain, slack_mrkdwn, slack_plain, versus
from warehouse.records import Alert

CHART_CID = "chart@leadchange"
"""The Content-ID under which the HTML looks for the picture."""

TITLE_LIMIT = 150
"""Code points; what a Slack header holds."""

SUMMARY_LIMIT = 10
"""Alerts listed in a summary; the others are counted."""

NAMESPACE = uuid.UUID("6f0d8a52-54b5-5d0e-9d0b-0c7f5a3c1e77")
"""Root of every identifier derived from alerts: summaries, Message-IDs."""

_NAME, _BOARD, _SENTENCE = 46, 32, 400

_TEMPLATES = SandboxedEnvironment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)

Facts = list[tuple[str, str]]


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


def title(kind: str, entity: str, rival: str, board: str) -> str:
    """The headline of an alert: one line, at most `TITLE_LIMIT` code points, without control characters."""
    who, whom, where = plain(entity, _NAME), plain(rival, _NAME), plain(board, _BOARD)
    return plain(_HEADLINES.get(kind, _headline_other(kind))(who, whom, where), TITLE_LIMIT)


def compose(
    alert: Alert, *, link: str | None = None, picture: bytes | None = None, now: datetime | None = None
) -> Message:
    """The message about `alert`. `link` leads to more, `picture` is a PNG, `now` dates the mail (default: its day)."""
    clean = _clean(alert)
    content = _Content(_headline(clean), _lede(clean), clean.definition, _facts(clean), _safe_link(link))
    return _message(
        content,
        alert_id=clean.alert_id,
        day=_day(clean),
        at=now or _midnight(_day(clean)),
        thread=f"{clean.rule}/{clean.board}",
        picture=picture,
    )


def test_message(channel_name: str, now: datetime) -> Message:
    """What `send-test` sends: unmistakably a test, and different each time."""
    name = plain(channel_name, _NAME)
    content = _Content(
        headline=f"TEST from leadchange: channel {name} works",
        lede="This is a test message. No lead has changed; nothing needs to be done.",
        definition="",
        facts=[("Channel", name), ("Sent", f"{now:%Y-%m-%d %H:%M} UTC")],
    )
    alert_id = f"test-{uuid.uuid5(NAMESPACE, f'{channel_name}/{now.isoformat()}').hex[:7]}"
    return _message(content, alert_id=alert_id, day=now.date(), at=now, thread="test")


def summary(alerts: Sequence[Alert], *, link: str | None = None, now: datetime | None = None) -> Message:
    """Several alerts as one message, newest first; past `SUMMARY_LIMIT` of them the rest is counted.

    Raises:
        ValueError: there is no alert to summarise.
    """
    if not alerts:
        raise ValueError("a summary needs at least one alert")
    newest = sorted(map(_clean, alerts), key=lambda alert: (_day(alert), alert.alert_id), reverse=True)
    first, last = _day(newest[-1]), _day(newest[0])
    more = len(newest) - SUMMARY_LIMIT
    content = _Content(
        headline=f"{len(newest)} alert{'s' * (len(newest) > 1)}, {first if first == last else f'{first} to {last}'}",
        lede="Newest first; each is explained by its own identifier." + (f" +{more} more." if more > 0 else ""),
        definition="",
        facts=[(_day(alert).isoformat(), _bullet(alert)) for alert in newest[:SUMMARY_LIMIT]],
        link=_safe_link(link),
    )
    alert_id = f"sum-{uuid.uuid5(NAMESPACE, ' '.join(sorted(a.alert_id for a in newest))).hex[:8]}"
    return _message(content, alert_id=alert_id, day=last, at=now or _midnight(last), thread="summary")


def short_id(alert_id: str) -> str:
    """The part of an alert's identifier that every message shows."""
    return plain(alert_id, 40)[:12]


# The headlines and the first sentences, a kind of alert each. Arguments: entity, rival, board.

_HEADLINES: dict[str, Callable[[str, str, str], str]] = {
    "lead_change": lambda who, whom, where: f"{who} takes the lead{whom and f' from {whom}'} on {where}",
    "overtake": lambda who, whom, where: f"{who} passes {whom or 'its rival'} on {where}",
    "enters_top": lambda who, whom, where: f"{who} enters the top of {where}{whom and f' in place of {whom}'}",
    "leaves_top": lambda who, whom, where: f"{who} leaves the top of {where}{whom and f', {whom} comes in'}",
    "milestone": lambda who, _, where: f"{who} reaches a milestone on {where}",
    "source_trouble": lambda who, _, where: f"Trouble reading {who or 'the source'}: {where} is on hold",
}

_LEDES: dict[str, Callable[[Alert], str]] = {
    "lead_change": lambda a: f"{a.entity} now leads {a.board}. {a.rival or 'Nobody'} led before.",
    "overtake": lambda a: f"{a.entity} is now ahead of {a.rival or 'its rival'} on {a.board}.",
    "enters_top": lambda a: f"{a.entity} is now among the first of {a.board}.",
    "leaves_top": lambda a: f"{a.entity} is no longer among the first of {a.board}.",
    "milestone": lambda a: f"{a.entity} stands at {humanise(a.value)} on {a.board}.",
    "source_trouble": lambda a: f"No lead change is reported on {a.board} until its data can be trusted again.",
}


def _headline_other(kind: str) -> Callable[[str, str, str], str]:
    return lambda who, _, where: f"{who}: {plain(kind, 30)} on {where}"


def _headline(alert: Alert) -> str:
    headline = alert.title or title(alert.kind, alert.entity, alert.rival, alert.board)
    return plain(f"Reverted: {headline}" if alert.state == "reverted" else headline, TITLE_LIMIT)


def _lede(alert: Alert) -> str:
    if alert.state == "reverted":
        return f"This no longer holds: {alert.rival or 'the former leader'} is ahead of {alert.entity} again."
    return _LEDES.get(alert.kind, _lede_other)(alert)


def _lede_other(alert: Alert) -> str:
    return f"The rule {alert.rule} is satisfied by {alert.entity} on {alert.board}."


def _facts(alert: Alert) -> Facts:
    """What there is to know, as (label, value), the most wanted first; labels without a value are left out."""
    facts = [
        *_numbers(alert),
        ("Since", alert.day.isoformat()),
        ("Confirmed", _confirmed(alert)),
        ("Why", alert.why),
        ("Data", alert.quality),
        ("Rule", alert.rule),
        ("Snapshot", str(alert.snapshot_id)),
    ]
    return [(label, value) for label, value in facts if value]


def _numbers(alert: Alert) -> Facts:
    if alert.kind == "source_trouble":
        return []
    if alert.kind == "milestone" or not alert.rival:
        return [("Value", humanise(alert.value))]
    both = versus(alert.value, alert.rival_value)
    return [("Ahead by" if alert.margin >= 0 else "Behind by", f"{percent(abs(alert.margin))} ({both})")]


def _confirmed(alert: Alert) -> str:
    if alert.kind == "source_trouble":
        return ""
    if alert.confirmed_day is None:
        return "not yet"
    if alert.confirm <= 1:
        return f"{alert.confirmed_day}, by one complete day"
    return f"{alert.confirmed_day}, after {alert.confirm} complete days in a row"


def _bullet(alert: Alert) -> str:
    numbers = "".join(f"; {label.lower()} {value}" for label, value in _numbers(alert))
    return f"{_headline(alert)}{numbers} [{short_id(alert.alert_id)}]"


def _clean(alert: Alert) -> Alert:
    """The alert with every text of it made harmless and short enough for all channels."""
    return replace(
        alert,
        alert_id=plain(alert.alert_id, 100),
        rule=plain(alert.rule, _NAME),
        board=plain(alert.board, _BOARD),
        entity=plain(alert.entity, _NAME),
        rival=plain(alert.rival, _NAME),
        title=plain(alert.title, TITLE_LIMIT),
        definition=plain(alert.definition, _SENTENCE),
        quality=plain(alert.quality, _SENTENCE),
        why=plain(alert.why, _SENTENCE),
    )


def _day(alert: Alert) -> date:
    return alert.confirmed_day or alert.day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _safe_link(link: str | None) -> str | None:
    """The link with everything quoted that could end it early; None for what is no web address, or an endless one."""
    if link is None or len(link) > 1000 or urlsplit(link).scheme not in {"http", "https"}:
        return None
    return quote(link, safe="%/:?#[]@!$&'()*+,;=~")


# The three forms of the same content.


@dataclass(frozen=True, slots=True)
class _Content:
    headline: str
    lede: str
    definition: str
    facts: Facts
    link: str | None = None


def _message(
    content: _Content, *, alert_id: str, day: date, at: datetime, thread: str, picture: bytes | None = None
) -> Message:
    context = {"content": content, "alert_id": short_id(alert_id), "chart_cid": CHART_CID if picture else None}
    bare = f"{content.headline}\n\n{content.lede}\n\nalert {short_id(alert_id)}\n"
    return Message(
        alert_id=alert_id,
        title=content.headline,
        text=_render("alert.txt.j2", context, fallback=bare),
        html=_render("alert.html.j2", context, fallback=f"<pre>{html(bare)}</pre>"),
        blocks=[block.to_dict() for block in _blocks(content, short_id(alert_id))],
        day=day,
        at=at,
        thread=thread,
        picture=picture,
    )


def _render(template: str, context: dict[str, Any], fallback: str) -> str:
    """The template filled in. A broken template must not cost anyone an alert: then the bare words are sent."""
    try:
        return _TEMPLATES.get_template(template).render(context)
    except jinja2.TemplateError:
        return fallback


def _blocks(content: _Content, alert_id: str) -> Iterator[Block]:
    yield HeaderBlock(text=PlainTextObject(text=slack_plain(content.headline, TITLE_LIMIT), emoji=False))
    paragraphs = [slack_mrkdwn(text, 1400) for text in (content.lede, content.definition) if text]
    yield SectionBlock(text=_mrkdwn("\n".join(paragraphs)))
    # Slack sets fields in two narrow columns: short facts go there, long ones get a line of their own.
    short = [_fact(*fact) for fact in content.facts if len(fact[1]) <= 60]
    if short:
        yield SectionBlock(fields=short[: SectionBlock.fields_max_length])
    yield from (SectionBlock(text=_fact(*fact)) for fact in content.facts if len(fact[1]) > 60)
    more = f" · <{html(content.link)}|open in leadchange>" if content.link else ""
    yield ContextBlock(elements=[_mrkdwn(f"alert {slack_mrkdwn(alert_id, 60)}{more}")])


def _fact(label: str, value: str) -> MarkdownTextObject:
    return _mrkdwn(f"*{slack_mrkdwn(label, 100)}*\n{slack_mrkdwn(value, 1800)}")


def _mrkdwn(text: str) -> MarkdownTextObject:
    """Verbatim: Slack must not look for links, channels or people in it by itself."""
    return MarkdownTextObject(text=text, verbatim=True)
