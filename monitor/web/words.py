"""What the pages say in sentences, so that it can be quoted as it stands (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.message import title
from alerts.names import spoken
from alerts.text import humanise, percent, plain, together, versus
from alerts.wording import capital
from monitor.web.view import day_in_words

Row = Mapping[str, Any]

_UNITS = {
    "downloads_30d": "downloads in 30 days",
    "downloads_7d": "downloads in 7 days",
    "downloads_28d": "downloads in 28 days",
    "downloads_all_time": "downloads since creation",
    "likes": "likes",
    "derivatives": "derivatives",
    "derivatives_28d": "derivatives of the last 28 days",
}


def unit(measure: str) -> str:
    """What a board's values count."""
    return _UNITS.get(measure, "as published" if measure.startswith("series:") else measure.replace("_", " "))


def counted(value: float, measure: str) -> str:
    """A value with its unit: `1 like`, `32.6M downloads in 30 days`."""
    named = unit(measure)
    if value == 1 and measure in _UNITS:
        named = named.replace("s", "", 1)  # the first s of each is that of its plural
    return f"{humanise(value)} {named}"


def headline(flip: Row) -> str:
    """A flip in one line."""
    kind = str(flip.get("entity_kind", ""))
    return title(flip["kind"], spoken(kind, flip["entity"]), spoken(kind, flip["rival"]), flip["board"])


def statement(flip: Row) -> str:
    """A flip as a sentence or two that a journalist can quote."""
    kind = flip["entity_kind"]
    who, whom = spoken(kind, flip["entity"]), spoken(kind, flip["rival"])
    deed = "took the lead from" if flip["kind"] == "lead_change" else "passed"
    now = _against(flip["value"], flip["rival_value"])
    text = (
        f"On {day_in_words(flip['day'])}, {who} {deed} {whom} on the board “{plain(flip['board'], 40)}”: "
        f"{now} {unit(flip['measure'])}, a lead of {percent(flip['margin'])}."
    )
    if flip.get("previous_value") is None or flip.get("previous_rival_value") is None:
        return text
    before = _against(flip["previous_value"], flip["previous_rival_value"])
    return f"{text} On {day_in_words(flip['previous_day'])}, the day before it on record, it was {before}."


def taken_back(told: Row) -> str:
    """What was told of a flip that is not on record any more, and what is known of it now."""
    said = f"“{plain(told['title'], 150)}” was told, as of {day_in_words(told['confirmed_day'])}"
    if told["corrected_at"] is None:
        return f"{said}. The flip is on record as of {day_in_words(told['now_day'])} now, at another address."
    why = plain(told["corrected_why"], 200)
    return (
        f"{said}: {_against(told['value'], told['rival_value'])}. "
        f"It was corrected on {day_in_words(told['corrected_at'])}: {why}."
    )


def worth(flip: Row) -> str:
    """Whether a flip is true of the models, in words for people."""
    if flip["panel_holds"] is None:
        return "The models behind these figures are not known; the flip is as published."
    if flip["panel_holds"]:
        return "It is true of the models, not only of the list: " + _after_colon(flip["verdict"]) + "."
    return "The models do not bear it out: " + _after_colon(flip["verdict"]) + ". No alert is sent for such a flip."


def citation(flip: Row, version: str, address: str) -> str:
    """One line that says where the figures come from, so that they can be found again."""
    return (
        f"“{headline(flip)}”, {day_in_words(flip['day'])}. leadchange {version}, flip {flip['flip_id']}. "
        f"{plain(flip['definition'], 400)} "
        f"Definition {flip['fingerprint']}, snapshot {flip['snapshot_id']} of {plain(flip['source'] or '?', 40)}. "
        f"{address}"
    )


def no_standing(leader: Row) -> str:
    """Why nobody leads a board."""
    if leader["ranked_on"] is None:
        return "This board has no standing yet: no complete snapshot of its source is known."
    ranked_on = day_in_words(leader["ranked_on"])
    return f"Nobody stands on this board: when it was ranked for {ranked_on}, no count was known of what it ranks."


def leading(leader: Row) -> str:
    """`Qwen leads`; of equals nobody is taken for the leader by name. Nothing where there is no standing."""
    names = [spoken(leader["kind"], name) for name in leader["leaders"] or ()]
    if not names:
        return ""
    return capital(f"{together(names)} {'leads' if len(names) == 1 else 'together lead'}")


def standing_in_words(leader: Row) -> str:
    """Who leads a board, by how much and since when, as one sentence."""
    if leader["day"] is None:
        return f"{leader['board']} has no standing yet."
    much = counted(leader["value"], leader["measure"])
    since = f", first since {day_in_words(leader['since'])}{' or longer' if leader['since_first_day'] else ''}"
    text = f"{leading(leader)} {plain(leader['board'], 40)} with {much}{since}."
    if leader["runner_up"] is None or leader["margin"] is None:
        return text
    rival = capital(spoken(leader["kind"], leader["runner_up"]))
    if leader["margin"] == 0:
        return f"{text} {rival} has as many."
    return f"{text} {rival} follows with {humanise(leader['runner_up_value'])}, {percent(leader['margin'])} less."


def _against(value: float, rival_value: float) -> str:
    return versus(value, rival_value).replace(" vs ", " against ")


def _after_colon(verdict: str) -> str:
    """The reason in a verdict of the form `word: reason`."""
    return plain(verdict.partition(": ")[2] or verdict, 200)
