"""The three forms of one content: plain text, HTML, Slack blocks. No wording and no judgement in here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from alerts.text import html, slack_mrkdwn, slack_plain

if TYPE_CHECKING:  # imported where a message is dressed: most days nobody is told anything
    from jinja2 import Environment
    from slack_sdk.models.blocks import Block, MarkdownTextObject

CHART_CID = "chart@leadchange"
"""The Content-ID under which the HTML looks for the picture."""

TITLE_LIMIT = 150
"""Code points; what a Slack header holds."""

_SECTION_LIMIT = 2900

_LOG = logging.getLogger("leadchange.alerts")

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading over rows of cells. `align` has a letter a column: l or r; the columns of all rows line up."""

    heading: str
    rows: Sequence[Sequence[str]]
    align: str
    note: str = ""
    """Below the rows."""

    @property
    def widths(self) -> list[int]:
        """Characters that each column needs."""
        return [max(map(len, column)) for column in zip(*self.rows, strict=True)]

    def lines(self) -> Iterator[str]:
        """The rows as lines of text whose columns line up."""
        for row in self.rows:
            padded = zip(row, self.widths, self.align, strict=True)
            yield "  ".join(cell.rjust(width) if side == "r" else cell.ljust(width) for cell, width, side in padded)


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, in no form yet. All text in it has been through `alerts.text.plain`."""

    headline: str
    lede: str
    kicker: str = ""
    """What sort of message it is, above the headline where there is room for such."""
    tone: str = "news"
    """news, trouble or correction."""
    definition: str = ""
    facts: Facts | tuple[()] = ()
    sections: Sequence[Section] = ()
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Forms:
    """The same content three times, and what went wrong while it was dressed."""

    text: str
    html: str
    blocks: list[dict[str, Any]]
    problems: tuple[str, ...]


def dress(content: Content, alert_id: str, *, picture: bool = False) -> Forms:
    """All three forms. A broken template must not cost anyone an alert: its form is then the bare words."""
    context = {"content": content, "alert_id": alert_id, "chart_cid": CHART_CID if picture else None}
    bare = _bare(content, alert_id)
    problems: list[str] = []
    text = _render("alert.txt.j2", context, bare, problems)
    page = _render("alert.html.j2", context, f"<pre>{html(bare)}</pre>", problems)
    return Forms(text, page, [block.to_dict() for block in _blocks(content, alert_id)], tuple(problems))


def safe_link(link: str | None) -> str | None:
    """The link with everything quoted that could end it early; None for what is no web address, or an endless one."""
    if link is None or len(link) > 1000 or urlsplit(link).scheme not in {"http", "https"}:
        return None
    return quote(link, safe="%/:?#[]@!$&'()*+,;=~")


@cache
def _templates() -> Environment:
    import jinja2  # noqa: PLC0415 see TYPE_CHECKING above
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415 the same

    return SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _render(template: str, context: dict[str, Any], fallback: str, problems: list[str]) -> str:
    try:
        return _templates().get_template(template).render(context)
    except Exception as error:  # noqa: BLE001 a template can raise whatever the things in it can raise
        problem = f"the template {template} is broken, its bare words were sent: {type(error).__name__}: {error}"
        _LOG.warning(problem)
        problems.append(problem)
        return fallback


def _bare(content: Content, alert_id: str) -> str:
    facts = [f"{label}: {value}" for label, value in content.facts]
    sections = [line for section in content.sections for line in (section.heading, *section.lines(), section.note)]
    lines = [content.headline, "", content.lede, *facts, *sections, content.link or "", f"alert {alert_id}"]
    return "\n".join(line for number, line in enumerate(lines) if line or number == 1) + "\n"


def _blocks(content: Content, alert_id: str) -> Iterator[Block]:
    from slack_sdk.models.blocks import ContextBlock, HeaderBlock, PlainTextObject, SectionBlock  # noqa: PLC0415 above

    yield HeaderBlock(text=PlainTextObject(text=slack_plain(content.headline, TITLE_LIMIT), emoji=False))
    paragraphs = [slack_mrkdwn(text, 1400) for text in (content.lede, content.definition) if text]
    if paragraphs:
        yield SectionBlock(text=_mrkdwn("\n".join(paragraphs)))
    # Slack sets fields in two narrow columns: short facts go there, long ones get a line of their own.
    short = [_fact(*fact) for fact in content.facts if len(fact[1]) <= 60]
    if short:
        yield SectionBlock(fields=short[: SectionBlock.fields_max_length])
    yield from (SectionBlock(text=_fact(*fact)) for fact in content.facts if len(fact[1]) > 60)
    yield from (SectionBlock(text=_mrkdwn(_section(section))) for section in content.sections)
    more = f" · <{html(content.link)}|open in leadchange>" if content.link else ""
    yield ContextBlock(elements=[_mrkdwn(f"alert {slack_mrkdwn(alert_id, 60)}{more}")])


def _section(section: Section) -> str:
    """A heading and as many rows as Slack takes; it has no tables, so cells follow one another."""
    lines = [f"*{slack_mrkdwn(section.heading, 100)}*"]
    rows = [" · ".join(slack_mrkdwn(cell, 400) for cell in row if cell) for row in section.rows]
    for row in [*rows, slack_mrkdwn(section.note, 400)]:
        if row and sum(map(len, lines)) + len(lines) + len(row) <= _SECTION_LIMIT:
            lines.append(row)
    return "\n".join(lines)


def _fact(label: str, value: str) -> MarkdownTextObject:
    return _mrkdwn(f"*{slack_mrkdwn(label, 100)}*\n{slack_mrkdwn(value, 1800)}")


def _mrkdwn(text: str) -> MarkdownTextObject:
    """Verbatim: Slack must not look for links, channels or people in it by itself."""
    from slack_sdk.models.blocks import MarkdownTextObject  # noqa: PLC0415 see TYPE_CHECKING above

    return MarkdownTextObject(text=text, verbatim=True)
