"""Check: everything that could go wrong later, said now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from alerts.names import spoken
from alerts.rules import Rule
from alerts.text import chosen, humanise
from alerts.wording import title
from jobs import backtest, hub
from jobs.deliver import in_words as refused_in_words
from jobs.telling import naming
from jobs.telling.reconcile import CONTESTS
from monitor import check_names, check_tops
from monitor.config import Settings
from monitor.demo import hub_is_gone
from monitor.health import Look, ahead
from monitor.wiring import build, unreckonable_conditions, wrong_conditions
from warehouse.amounts import amount
from warehouse.attribution import identity
from warehouse.db import Database
from warehouse.errors import LeadchangeError, WarehouseError
from warehouse.migrate import migrate
from warehouse.published.reading import Reading
from warehouse.registry import Proposal
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""For a warehouse that is gone when the check is."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is well, what is not, and the exit code that says so."""

    lines: list[str]
    problems: list[str]
    exit_code: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """What was collected and told so far says."""

    pasts: dict[str, str]
    """Rule -> when it would last have told something."""
    lines: list[str]
    proposals: list[Proposal]
    problems: list[str]


_NOTHING = _Stored({}, [], [], [])


def problems(
    settings: Settings, mistakes: Sequence[str] = (), unread: Collection[str] = (), *, now: datetime
) -> Findings:
    """Look at everything the configuration names: families, boards, rules, channels, the Hub.

    `mistakes` were found when it was read: what it describes is not in force then. What the keys `unread` are about is
    not looked at.
    """
    stored, damage = (_NOTHING, "") if "warehouse.publish" in unread else _stored(settings, now)
    registry = settings.registry
    families = amount(len(registry.families), "family", "families")
    polled = f"{len(registry.polled)} of {families}" if len(registry.polled) < len(registry.families) else families
    lines = [
        f"configuration: {settings.source or 'built-in defaults'}",
        f"registry: {polled}, {amount(len(registry.publishers), 'publisher')} to poll",
        *(f"board {board.name}: {board.definition}" for board in settings.boards),
        *("; ".join(filter(None, (_rule(rule), stored.pasts.get(rule.name)))) for rule in settings.rules),
        *check_tops.too_wide(settings),
        *stored.lines,
    ]
    wrong = [
        *mistakes,
        *_wrong_conditions(settings),
        *_wrong_channels(settings),
        *stored.problems,
        *check_names.unknown_families(settings),
    ]
    found, proposals, unreachable = ([], [], "") if "hub.endpoint" in unread else _of_the_hub(settings)
    found += _proposed([*stored.proposals, *proposals])
    failures = {5: damage, 3: unreachable}
    code = 2 if wrong else next((code for code, failure in failures.items() if failure), 0)
    return Findings([] if mistakes else [*lines, *found], [*wrong, *filter(None, failures.values())], code)


def _of_the_hub(settings: Settings) -> tuple[list[str], list[Proposal], str]:
    """What the Hub says, whom it calls otherwise, and why it cannot be read."""
    lines = []
    try:
        lines.append(f"hub: {hub.reach(settings.hub, hub.read_token())}")
        return lines, _renamed_publishers(settings), ""
    except hub.HubError as error:
        return lines, [], f"hub: {error}{hub_is_gone(settings.source, settings.hub.endpoint)}"


def _stored(settings: Settings, now: datetime) -> tuple[_Stored, str]:
    """What the published file says, nothing before the first collection; and why it cannot be read."""
    if not settings.warehouse.publish.exists():
        return _NOTHING, ""
    try:
        with Database.open_published(settings.warehouse.publish) as db:
            looks = [Look(*look) for look in Reading(db).own_looks()]
            wrong = [*ahead(looks, now), *_refusing_channels(db, settings)]
            wrong += unreckonable_conditions(db, settings.boards)
            proposals = identity.proposals(db, settings.registry)
            return _Stored(_pasts(db, settings), _seen(db, settings), proposals, wrong), ""
    except WarehouseError as error:
        return _NOTHING, f"warehouse: {error}"


def _proposed(proposals: Sequence[Proposal]) -> list[str]:
    """A line on each publisher for a person to decide about; until then nothing of it counts for the family."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for proposal in proposals:
        reasons.setdefault((proposal.publisher, proposal.family), []).append(proposal.reason)
    return [
        f"registry: is {publisher} a publisher of {family}? {'; '.join(why)}; add it if so"
        for (publisher, family), why in reasons.items()
    ]


def _seen(db: Database, settings: Settings) -> list[str]:
    """What was collected so far says about names and tops."""
    named = [*check_names.of_rules(db, settings), *check_names.moved(db, settings)]
    return [*named, *check_tops.too_wide_so_far(db, settings)]


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


def _rule(rule: Rule) -> str:
    """What a rule will do."""
    return f"rule {rule.name}: {in_words(rule)}"


def _pasts(db: Database, settings: Settings) -> dict[str, str]:
    """When each rule would last have told something."""
    ledger = Ledger(db)
    rules = naming.run(db, settings.rules, settings.boards, settings.registry)
    kinds = {board.name: board.entity for board in settings.boards}
    return {rule.name: _last_fired(ledger, rule, kinds.get(rule.board, "")) for rule in rules}


def _last_fired(ledger: Ledger, rule: Rule, ranks: str) -> str:
    """When a rule would last have told something over the stored history, and what."""
    if rule.when == "source_trouble":
        return "its past is not kept"
    standings = ledger.standings_since(rule.board, date.min, rule.between, first=rule.places)
    told = backtest.run(standings, [rule], backtest.borne_out(ledger))
    sent = [alert for alert in told if not alert.held]
    over = f"over {amount(len(standings), 'stored day')}"
    if not sent:
        return f"{over} it would have told nothing" if standings else "no day is stored yet"
    kind = CONTESTS.get(sent[-1].event, rule.when)
    names = (spoken(ranks, sent[-1].entity), spoken(ranks, sent[-1].rival))
    last = title(kind, *names, rule.board, number=rule.line, pair=rule.when == "overtake")
    often = "once" if len(sent) == 1 else f"{len(sent)} times"
    return f"{over} it would have told {often}, last on {sent[-1].confirmed_day}: {last}"


def in_words(rule: Rule) -> str:
    """What a rule will do, as a sentence."""
    if rule.when == "source_trouble":
        tells = ", ".join(rule.channels) or "nobody"
        return f"tells {tells} when board {rule.board} had no complete snapshot for {amount(rule.after_days, 'day')}"
    what = _what(rule)
    days = (
        "on the first complete day"
        if rule.confirm == 1
        else f"once it has held for {rule.confirm} complete days in a row"
    )
    tells = ", ".join(rule.channels) or "nobody"
    return f"tells {tells} {what} on board {rule.board}, {days} by at least {rule.margin:.1%}"


def _what(rule: Rule) -> str:
    """What must happen."""
    who = " or ".join(rule.between) or "anybody"
    match rule.when:
        case "approaches":
            return f"when {_among_the_first(rule)} comes within {chosen(rule.within)} of who leads"
        case "enters_top":
            return f"when {who} enters the first {rule.top}"
        case "leaves_top":
            return f"when {who} leaves the first {rule.top}"
        case "milestone":
            return f"when {_among_the_first(rule)} reaches {' or '.join(map(humanise, rule.at))}"
        case "overtake":
            return f"when {_pair(rule)} changes order"
        case _:
            return "when the lead changes"


def _among_the_first(rule: Rule) -> str:
    return " or ".join(rule.between) or "one of the first ten"


def _pair(rule: Rule) -> str:
    if len(rule.between) == 2:
        return f"the pair {rule.between[0]} and {rule.between[1]}"
    return f"a pair with {rule.between[0]} among the first ten" if rule.between else "any pair of the first ten"


def _wrong_conditions(settings: Settings) -> list[str]:
    """Boards whose `where` is no condition over models."""
    with Database.in_memory() as db:
        migrate(db, now=_EPOCH)
        return wrong_conditions(db, settings.boards)


def _refusing_channels(db: Database, settings: Settings) -> list[str]:
    """Configured channels that refuse whatever they are sent."""
    names = {channel.name for channel in settings.channels}
    outbox = Outbox(db)
    held = Counter(delivery.channel for delivery in outbox.open())
    refusing = [health for health in outbox.refusing() if health.channel in names]
    return [f"channel {refused_in_words(health, held[health.channel])}" for health in refusing]


def _wrong_channels(settings: Settings) -> list[str]:
    """Channels that cannot be built: a secret is missing, an address is wrong."""
    found = []
    for channel in settings.channels:
        try:
            build(channel)
        except LeadchangeError as error:
            found.append(f"channel {channel.name}: {error}")
    return found
