"""Check: everything that could go wrong later, said now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.rules import Rule
from jobs import hub
from monitor.config import Settings
from monitor.wiring import build
from warehouse.db import Database
from warehouse.errors import LeadchangeError
from warehouse.migrate import migrate

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
    ]
    wrong = [*_wrong_conditions(settings), *_wrong_channels(settings)]
    try:
        lines.append(f"hub: {hub.reach(settings.hub, hub.read_token())}")
    except hub.HubError as error:
        return Findings(lines, [*wrong, f"hub: {error}"], 2 if wrong else 3)
    return Findings(lines, wrong, 2 if wrong else 0)


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
