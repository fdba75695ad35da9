"""Text made harmless and numbers made readable. No wording, no business logic.

Whatever a Hub or a configuration calls itself passes `plain` first, then the escape of the place where it is shown.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

import markupsafe

ELLIPSIS = "…"

# Characters that Slack might read as markup, each with a look-alike that it cannot. Slack has no escape for them.
_LOOK_ALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "@": "＠"})  # noqa: RUF001
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# An underscore inside a word is never markup, and real repository names are full of them.
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_EMOJI_OR_SCHEME = re.compile(r":(?=//|[\w+'-]+:)")

_TINY = 0.00001
"""A share below this would be shown as nothing."""


def plain(text: str, limit: int = 200) -> str:
    """One line of at most `limit` code points, without control, bidi, invisible or surrogate characters."""
    spaced = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text if _is_visible(c))
    return cut(" ".join(spaced.split()), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` code points; an ellipsis, counted in, shows that something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def slack_plain(text: str, limit: int) -> str:
    """For a Slack `plain_text` object: no markup even if Slack, or a client of it, were to look for some."""
    return cut(_neutral(plain(text, limit)).translate({ord("<"): "‹", ord(">"): "›"}), limit)  # noqa: RUF001


def slack_mrkdwn(text: str, limit: int) -> str:
    """For a Slack `mrkdwn` object: no mention, link, emphasis, code, quote or emoji can fire.

    `limit` counts what Slack counts, that is the escaped characters; an entity is never cut in two.
    """
    escaped = [_ENTITIES.get(c, c) for c in _neutral(plain(text, limit))]
    if sum(map(len, escaped)) <= limit:
        return "".join(escaped)
    room = limit - len(ELLIPSIS)
    kept: list[str] = []
    for piece in escaped:
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + ELLIPSIS


def html(text: str) -> str:
    """For the content or a quoted attribute of an HTML element."""
    return str(markupsafe.escape(text))


def terminal(text: str, encoding: str = "utf-8") -> str:
    """Lines for a terminal: no escape sequence survives, nor a character that `encoding` cannot write."""
    safe = "".join(c for c in text if c == "\n" or (_is_visible(c) and unicodedata.category(c) != "Cc"))
    return safe.encode(encoding, "replace").decode(encoding)


def humanise(value: float, digits: int = 1) -> str:
    """A count for people: 32_640_000 -> `32.6M`; below a thousand exactly; `unknown` when it is no number."""
    if not math.isfinite(value):
        return "unknown"
    if abs(value) < 1000:
        return f"{value:,.{0 if value == int(value) else 2}f}"
    for unit in ("k", "M", "B"):
        value /= 1000
        # Rounded first: 999,950 is 1.0M, not 1000.0k.
        if abs(round(value, digits)) < 1000:
            return f"{value:.{digits}f}{unit}"
    return f"{value / 1000:,.{digits}f}T"


def together(names: Sequence[str]) -> str:
    """Equals in a sentence: `A`, `A and B`, `A and B and others`."""
    return f"{' and '.join(names[:2])}{' and others' * (len(names) > 2)}"


def versus(value: float, rival_value: float) -> str:
    """Two counts side by side, with as many digits as it takes to see which is larger: `32.6M vs 32.0M`."""
    for digits in (1, 2, 3):
        left, right = humanise(value, digits), humanise(rival_value, digits)
        if left != right or value == rival_value:
            return f"{left} vs {right}"
    return f"{value:,.0f} vs {rival_value:,.0f}" if abs(value) >= 1000 else f"{value:g} vs {rival_value:g}"


def percent(share: float) -> str:
    """A share of 1 for people: 0.018 -> `1.8%`, with more digits where it is tiny."""
    if not math.isfinite(share):
        return "unknown"
    if 0 < abs(share) < _TINY:
        return f"under {_TINY:.3%}"
    return f"{share * 100:.{1 if abs(share) >= 0.001 or share == 0 else 3}f}%"


def chosen(share: float) -> str:
    """A share that somebody chose: `10%`, `2.5%`, without zeros that say nothing."""
    return f"{share * 100:g}%"


def chance(likely: float) -> str:
    """A chance for people, in whole percent: what is not certain is never called so."""
    if not math.isfinite(likely):
        return "unknown"
    return "under 1%" if likely < 0.01 else "over 99%" if likely > 0.99 else f"{likely:.0%}"


def _is_visible(char: str) -> bool:
    """Neither a format character (bidi marks, zero-width ones, tags), half a surrogate pair, nor what XML refuses."""
    return unicodedata.category(char) not in {"Cf", "Cs"} and char not in "\ufffe\uffff"


def _neutral(text: str) -> str:
    """Markup that has no escape, replaced by look-alikes; a quote mark only fires at the start of a line."""
    text = _EMOJI_OR_SCHEME.sub("∶", _EDGE_UNDERSCORE.sub("ˍ", text))  # noqa: RUF001
    text = text.translate(_LOOK_ALIKES)
    return "›" + text[1:] if text.startswith(">") else text  # noqa: RUF001
