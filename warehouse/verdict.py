"""Is this snapshot fit to judge by? Pure: facts in, a verdict with its reason in words out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from warehouse.records import Listing, Verdict, Walk

REJECTED_SHARE = 0.01
"""A listing with a greater share of unbelievable rows is not complete."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why in words, and the figures it rests on."""

    verdict: Verdict
    reason: str
    measured: Mapping[str, object] = field(default_factory=dict)


def of_walk(walk: Walk, listed_before: Mapping[str, int]) -> Judgement:
    """Judge a look at the Hub by its completeness.

    Args:
        walk: what was listed.
        listed_before: publisher -> how many models the last complete snapshot saw.
    """
    models = sum(len(listing.models) for listing in walk.listings)
    if walk.problem is not None:
        return Judgement("partial" if models else "failed", walk.problem)
    problems = [problem for listing in walk.listings if (problem := _problem(listing, listed_before))]
    measured = {"models": models, "publishers": len(walk.listings), "incomplete_publishers": len(problems)}
    if problems:
        return Judgement("partial" if models else "failed", _shortened(problems), measured)
    if not models:
        return Judgement("failed", "no publisher lists any model", measured)
    publishers = sum(bool(listing.models) for listing in walk.listings)
    summary = f"{models:,} models of {publishers} publishers, every listing read to its end"
    return Judgement("complete", "; ".join([summary, *_notes(walk.listings)]), measured)


def _problem(listing: Listing, listed_before: Mapping[str, int]) -> str | None:
    """Why one publisher's listing may not be judged by."""
    known = listed_before.get(listing.publisher, 0)
    if listing.problem is not None:
        return f"{listing.publisher}: {listing.problem}"
    if not listing.models and known and listing.num_models != 0:
        return f"{listing.publisher}: lists nothing, had {known:,} models before"
    rejected = len(listing.rejected)
    if rejected > REJECTED_SHARE * (rejected + len(listing.models)):
        return f"{listing.publisher}: {rejected} rows could not be believed ({listing.rejected[0].reason})"
    return None


def _notes(listings: Sequence[Listing]) -> list[str]:
    """What is worth saying about a complete snapshot."""
    unknown = [listing.publisher for listing in listings if not listing.models and listing.num_models is None]
    rejected = sum(len(listing.rejected) for listing in listings)
    notes = [f"unknown to the Hub: {', '.join(unknown)}"] if unknown else []
    return notes + ([f"{rejected} rows set aside"] if rejected else [])


def _shortened(problems: Sequence[str], most: int = 3) -> str:
    """The first problems; the others are counted."""
    more = f"; and {len(problems) - most} more publishers" if len(problems) > most else ""
    return "; ".join(problems[:most]) + more
