"""Check: everything that could go wrong later, said now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.rules import Rule
from jobs import hub
from monitor.config import Settings
from monitor.wiring import build
from warehouse import identity
from warehouse.db import Database
from warehouse.errors import LeadchangeError
from warehouse.migrate import migrate
from warehouse.registry import Proposal

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""For a warehouse that is gone when the check is."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is well, what is not, and the exit code that says so."""

    lines: list[str]
    problems: list[str]
    exit_code: int


def problems(settings: Settings) -> Findings:
    """Look at everything the configuration names: families, boards, rules, channels, the Hub."""
    registry = settings.registry
    lines = [
        f"configuration: {settings.source or 'built-in defaults'}",
        f"registry: {len(registry.families)} families, {len(registry.publishers)} publishers to poll",
        *(f"board {board.name}: {board.definition}" for board in settings.boards),
        *(f"rule {rule.name}: {in_words(rule)}" for rule in settings.rules),
        *(_proposed(proposal) for proposal in _seen_proposals(settings)),
    ]
    wrong = [*_wrong_conditions(settings), *_wrong_channels(settings)]
    try:
        lines.append(f"hub: {hub.reach(settings.hub, hub.read_token())}")
        lines += [_proposed(proposal) for proposal in _renamed_publishers(settings)]
    except hub.HubError as error:
        return Findings(lines, [*wrong, f"hub: {error}"], 2 if wrong else 3)
    return Findings(lines, wrong, 2 if wrong else 0)


def _proposed(proposal: Proposal) -> str:
    """A publisher for a person to decide about; until then nothing of it counts for the family."""
    return f"registry: is {proposal.publisher} a publisher of {proposal.family}? {proposal.reason}; add it if so"


def _seen_proposals(settings: Settings) -> list[Proposal]:
    """Publishers that what was collected so far speaks for; none before the first collection."""
    if not settings.warehouse.publish.exists():
        return []
    with Database.open_published(settings.warehouse.publish) as db:
        return identity.proposals(db, settings.registry)


def _renamed_publishers(settings: Settings) -> list[Proposal]:
    """Publishers that the Hub calls by a name that the registry does not know."""
    registry = settings.registry
    overviews = hub.overviews(settings.hub, registry.publishers, token=hub.read_token())
    names = {old: overview.name for old, overview in overviews.items() if overview}
    return [
        Proposal(new, family.name, f"the Hub says that {old} is called so now")
        for family in registry.polled
        for old in family.publishers
        if (new := names.get(old)) and not registry.knows(new)
    ]


def in_words(rule: Rule) -> str:
    """What a rule will do, as a sentence."""
    what = "when the lead changes" if rule.when == "lead_change" else f"when {_pair(rule)} changes order"
    days = (
        "on the first complete day"
        if rule.confirm == 1
        else f"once it has held for {rule.confirm} complete days in a row"
    )
    tells = ", ".join(rule.channels) or "nobody"
    return f"tells {tells} {what} on board {rule.board}, {days} by at least {rule.margin:.1%}"


def _pair(rule: Rule) -> str:
    if len(rule.between) == 2:
        return f"the pair {rule.between[0]} and {rule.between[1]}"
    return f"a pair with {rule.between[0]} among the first ten" if rule.between else "any pair of the first ten"


def _wrong_conditions(settings: Settings) -> list[str]:
    """Boards whose `where` is no condition over models."""
    found = []
    with Database.in_memory() as db:
        migrate(db, now=_EPOCH)
        for board in settings.boards:
            if board.where:
                try:
                    db.refuse_condition(board.where, "models")
                except LeadchangeError as error:
                    found.append(f"board {board.name}: where: {error}")
    return found


def _wrong_channels(settings: Settings) -> list[str]:
    """Channels that cannot be built: a secret is missing, an address is wrong."""
    found = []
    for channel in settings.channels:
        try:
            build(channel)
        except LeadchangeError as error:
            found.append(f"channel {channel.name}: {error}")
    return found
