"""An alert as it usually is, and the names that somebody would choose to do harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from alerts import message
from warehouse.records import Alert

HISTORY = tuple(
    (date(2026, 7, 23) + timedelta(days=n), 30_000_000 + n * 91_000.0, 32_100_000 - n * 2_000.0) for n in range(30)
)

USUAL = Alert(
    alert_id="9f3ac2d1e07b55aa9f3ac2d1e07b55aa",
    rule="who-leads",
    board="families",
    kind="lead_change",
    entity="Qwen",
    rival="Llama",
    state="firing",
    day=date(2026, 8, 19),
    confirmed_day=date(2026, 8, 21),
    title="Qwen takes the lead from Llama on families",
    value=32_640_000,
    rival_value=32_041_000,
    margin=0.0184,
    definition="Families by downloads in the last 30 days, counting what their own publishers publish.",
    snapshot_id=123,
    quality="complete: 4,211 models, none missing",
    why="Qwen3-8B +1.2M; 3 new models +0.4M",
    confirm=3,
    history=HISTORY,
)

HOSTILE = (
    "<!channel> @here",
    "<http://evil.example|Qwen>",
    "*bold* _it_ ~no~ `code`",
    "\x1b[2J\x1b]8;;http://evil.example\x07Qwen",
    "Qwen\r\nBcc: everyone@example.org",
    "\u202egnp.tnarg\u202c",
    "a\x00b\u2028c",
    "<script>alert(1)</script>\"' onerror=x",
    "&" * 500,
    "🤗" * 500,
    "x" * 2000,
    "\ud800 half a pair",
    "{{ 7 * 7 }} {% raw %}",
    "> quoted :skull: https://evil.example",
    "",
)


def alert(**changes: object) -> Alert:
    """The usual alert, but for what is given."""
    return replace(USUAL, **changes)  # type: ignore[arg-type]


def sent(picture: bytes | None = None, **changes: object) -> message.Message:
    """The message about the usual alert, but for what is given."""
    return message.compose(alert(**changes), link="https://monitor.example/flips/7", picture=picture)
