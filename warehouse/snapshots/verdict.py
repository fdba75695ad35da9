"""Is this snapshot fit to judge by? Pure: facts in, a verdict with its reason in words out.

    complete   every listing read to its end, and the counters moved as counters do
    partial    models or counts are missing
    suspect    all is there, and the counters are not to be believed
    failed     nothing was read

A look is held against the last complete one, so a fault that passes leaves no trace: the first look after it is judged
by the state before it. A fault that stays is the new normal after a while, see `LASTING`. So nothing blocks for good,
but a source that shows nothing new: that has nothing to say, until it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from warehouse.amounts import amount
from warehouse.records import Listing, Verdict, Walk
from warehouse.snapshots.counters import Comparison, Finding, Kind, Look, findings

REJECTED_SHARE = 0.01
"""A listing with a greater share of unbelievable rows is not complete."""
LASTING: Mapping[Kind, int] = {"lost": 3, "blank": 3, "rollback": 8, "frozen": 8, "half_dip": 8, "slow": 8}
"""On how many days before, in a row, a thing must have been found to be the new normal. A rollback that does not
recover in 8 snapshots stays (Model Pulse); what is missing comes back within three days. A repeat is never normal."""
GONE_DAYS = 2
"""On how many days before a publisher must have been unknown to the Hub to count as gone."""
SHORT_DAYS = 3
"""On how many days before a listing must have fallen short of the Hub's own count by as much, to be all there is ..."""
SHORT_SHARE = 0.9
"""... if it has this share of it: the count may hold what is not public."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What one publisher listed on an earlier day."""

    listed: int
    num_models: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of the source from before a look."""

    day: date
    """The look's own day."""
    comparison: Comparison | None = None
    """The look beside the last complete one; None when there is none yet."""
    looks: Sequence[Look] = ()
    """Earlier days, newest first."""
    listed: Mapping[str, Sequence[Listed]] = field(default_factory=dict)
    """Publisher -> what it listed on the earlier days, newest first."""
    gone: Mapping[str, int] = field(default_factory=dict)
    """Publisher -> how many models of the last complete look it had that are nowhere in this one."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why in words, and the figures it rests on."""

    verdict: Verdict
    reason: str
    measured: Mapping[str, object] = field(default_factory=dict)


def of_walk(walk: Walk, before: Before) -> Judgement:
    """Judge a look at the Hub: that every listing is whole, then what it shows."""
    models = sum(len(listing.models) for listing in walk.listings)
    if walk.problem is not None:
        return Judgement("partial" if models else "failed", walk.problem)
    problems = [problem for listing in walk.listings if (problem := _problem(listing, before))]
    counts = {"models": models, "publishers": len(walk.listings), "incomplete_publishers": len(problems)}
    if problems:
        return Judgement("partial" if models else "failed", _shortened(problems), counts)
    if not models:
        return Judgement("failed", "no publisher lists any model", counts)
    publishers = sum(bool(listing.models) for listing in walk.listings)
    summary = f"{amount(models, 'model')} of {amount(publishers, 'publisher')}, every listing read to its end"
    return _of_counters([summary, *_notes(walk.listings)], counts, before)


def of_table(models: int, before: Before) -> Judgement:
    """Judge a table of all models that comes without counts of the Hub's own, such as an archive's day."""
    if not models:
        return Judgement("failed", "it holds no model", {"models": 0})
    return _of_counters([amount(models, "model")], {"models": models}, before)


def vouched(listing: Listing, earlier: Sequence[Listed]) -> bool:
    """Whether what is missing from a listing was deleted: the Hub's own count agrees, or the publisher is gone."""
    if listing.problem is not None:
        return _always_short(listing, earlier)
    return listing.num_models is not None or (not listing.models and _long_gone(earlier))


def _of_counters(notes: Sequence[str], counts: Mapping[str, int], before: Before) -> Judgement:
    """Judge what a whole look shows."""
    c = before.comparison
    if c is None:
        return Judgement("complete", "; ".join([*notes, "no complete look before it"]), counts)
    found = findings(c, before.day, before.looks)
    measured = {**counts, **_figures(c), "findings": [finding.kind for finding in found]}
    standing = [finding for finding in found if not _is_lasting(finding, before.looks)]
    if standing:
        verdict: Verdict = "partial" if any(finding.kind in ("lost", "blank") for finding in standing) else "suspect"
        return Judgement(verdict, "; ".join(f"{_name(finding)}: {finding.words}" for finding in standing), measured)
    lasting = [f"{_name(f)} for {LASTING[f.kind]} days and more, taken as lasting: {f.words}" for f in found]
    return Judgement("complete", "; ".join([*notes, *lasting, _in_words(c)]), measured)


def _is_lasting(finding: Finding, looks: Sequence[Look]) -> bool:
    """Whether the days before, as many in a row as it takes, said the same. Days on which nothing could be compared are
    passed over.
    """
    wanted = LASTING.get(finding.kind)
    compared = [look.findings for look in looks if look.findings is not None][:wanted]
    return wanted is not None and len(compared) == wanted and all(finding.kind in kinds for kinds in compared)


def _problem(listing: Listing, before: Before) -> str | None:
    """Why one publisher's listing may not be judged by."""
    earlier = before.listed.get(listing.publisher, ())
    if listing.problem is not None:
        return None if _always_short(listing, earlier) else f"{listing.publisher}: {listing.problem}"
    gone = before.gone.get(listing.publisher, 0)
    if not listing.models and gone and listing.num_models != 0 and not _long_gone(earlier):
        return f"{listing.publisher}: lists nothing, had {amount(gone, 'model')} before"
    rejected = len(listing.rejected)
    if rejected > REJECTED_SHARE * (rejected + len(listing.models)):
        return f"{listing.publisher}: {amount(rejected, 'row')} could not be believed ({listing.rejected[0].reason})"
    return None


def _always_short(listing: Listing, earlier: Sequence[Listed]) -> bool:
    """Whether a listing that ended cleanly falls as little short of the Hub's own count as on the days before."""
    now = _shortfall(len(listing.models) + len(listing.rejected), listing.num_models, listing.problem)
    then = [_shortfall(day.listed, day.num_models, day.problem) for day in earlier[:SHORT_DAYS]]
    return (
        now is not None
        and now <= 1 - SHORT_SHARE
        and len(then) == SHORT_DAYS
        and all(day is not None and abs(day - now) <= 0.01 for day in then)
    )


def _shortfall(listed: int, num_models: int | None, problem: str | None) -> float | None:
    """Share by which a listing that was read to its end falls short; None where something else is wrong with it."""
    if not num_models or problem != f"listed {listed} of {num_models}":
        return None
    return 1 - listed / num_models


def _long_gone(earlier: Sequence[Listed]) -> bool:
    """Whether a publisher was as unknown to the Hub on the days before."""
    days = earlier[:GONE_DAYS]
    return len(days) == GONE_DAYS and all(
        not day.listed and day.num_models is None and day.problem is None for day in days
    )


def _notes(listings: Sequence[Listing]) -> list[str]:
    """What is worth saying about a complete snapshot."""
    unknown = [listing.publisher for listing in listings if not listing.models and listing.num_models is None]
    short = [f"{listing.publisher} {listing.problem} as on the days before" for listing in listings if listing.problem]
    rejected = sum(len(listing.rejected) for listing in listings)
    more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
    notes = [f"unknown to the Hub: {', '.join(unknown[:6])}{more}"] if unknown else []
    return notes + short + ([f"{amount(rejected, 'row')} set aside"] if rejected else [])


def _figures(c: Comparison) -> dict[str, object]:
    """What is kept of a comparison, for the looks to come and for whoever asks why."""
    shares = {
        "lost_share": (c.unexplained, c.before),
        "downloads_lost_share": (c.downloads_lost, c.downloads_before),
        "fresh_share": (c.fresh, c.large),
        "fell_share": (c.fell, c.totals),
        "dipped_share": (c.dipped, c.windows),
        "newest_still_share": (c.newest_still, c.newest),
    }
    return {
        "reference": c.reference.isoformat(),
        "days": round(c.days, 3),
        "models_before": c.before,
        "large": c.large,
        "still_share": c.still_share,
        "movement_per_day": c.movement_per_day,
    } | {name: part / whole if whole else None for name, (part, whole) in shares.items()}


def _in_words(c: Comparison) -> str:
    """What a complete look shows beside the one before."""
    seen = f"{c.before - c.lost:,} of {c.before:,} models of {c.reference} seen again"
    return f"{seen}, {c.fresh:,} of {c.large:,} large ones with a new value" if c.large else seen


def _name(finding: Finding) -> str:
    return finding.kind.replace("_", "-")


def _shortened(problems: Sequence[str], most: int = 3) -> str:
    """The first problems; the others are counted."""
    more = f"; and {amount(len(problems) - most, 'more publisher')}" if len(problems) > most else ""
    return "; ".join(problems[:most]) + more
