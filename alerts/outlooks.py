"""What is said about forecasts (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.names import spoken
from alerts.text import chance, plain
from alerts.wording import NAME
from warehouse.forecasts.forecast import Outlook


def challenger(leaders: Sequence[str], found: Sequence[Outlook]) -> Outlook | None:
    """The likeliest passage of the one who leads; None where several lead together, or nothing is known of it."""
    return next((one for one in found if one.rival in leaders), None) if len(leaders) == 1 else None


def on_the_lead(kind: str, leaders: Sequence[str], found: Sequence[Outlook]) -> str:
    """Who is likeliest to pass the one who leads, as a sentence; empty where several lead, or nothing is known.

    Args:
        kind: what the board ranks.
        leaders: who is first.
        found: the board's forecasts, the likeliest first.
    """
    one = challenger(leaders, found)
    if one is None:
        return ""
    rival, entity = (plain(spoken(kind, name), NAME) for name in (one.rival, one.entity))
    soon, later = chance(one.within_90d), chance(one.within_180d)
    return (
        f"The likeliest to pass {rival}, which leads: {entity}, with a chance of {soon} within 90 days and {later}"
        " within 180."
    )


def in_words(kind: str, one: Outlook) -> str:
    """`Beta may pass Alpha`."""
    entity, rival = (plain(spoken(kind, name), NAME) for name in (one.entity, one.rival))
    return f"{entity} may pass {rival}"
