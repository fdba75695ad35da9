"""What travels between the rooms: frozen records without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

Verdict = Literal["complete", "partial", "suspect", "failed"]
Relation = Literal["own", "finetune", "adapter", "merge", "quantized"]


class Parent(NamedTuple):
    """One `base_model` declaration of a model: what it descends from and how (None: the tag does not say how)."""

    relation: str | None
    repo_id: str


class HubModel(NamedTuple):
    """One model as a Hub lists it. None means that the Hub did not say; it never means 0.

    A tuple, for there are millions: a frozen dataclass takes six times as long to make.
    """

    hub_id: str
    """The Hub's `_id`, which survives renames and transfers."""
    repo_id: str
    """`publisher/name`, as it is called at this moment."""
    publisher: str
    downloads_30d: int | None
    downloads_all_time: int | None
    likes: int | None
    created_at: datetime | None = None
    parameters: int | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    license: str | None = None
    gated: str | None = None
    """`auto`, `manual`, or `no`; None where the Hub did not say."""
    disabled: bool | None = None
    parents: tuple[Parent, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of a listing that could not be believed: what it called itself, if anything, and why it was set aside."""

    repo_id: str | None
    reason: str
    hub_id: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All that one publisher lists."""

    publisher: str
    models: tuple[HubModel, ...]
    num_models: int | None
    """The Hub's own count for this publisher; None where it has no organisation of that name."""
    rejected: tuple[Rejected, ...] = ()
    problem: str | None = None
    """Why this listing is not all there is; None when it ended cleanly and agrees with `num_models`."""
    called: str = ""
    """The name under which it was read, where the publisher has another by now: what it does not list is not there,
    either. Empty where it has no other.
    """


@dataclass(frozen=True, slots=True)
class Walk:
    """One look at a Hub: a listing for every publisher asked for."""

    listings: tuple[Listing, ...]
    requests: int
    problem: str | None = None
    """Why the whole look failed (unreachable, token refused); None when at least one answer came."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at a source, with the verdict on it."""

    snapshot_id: int
    source: str
    taken_at: datetime
    day: date
    verdict: Verdict
    verdict_reason: str
    models: int
    requests: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A board's values on one day: entity -> value, and the verdict on the snapshot they come from.

    `values` holds no entity without a known value; ranks are by value, highest first.
    """

    board: str
    day: date
    snapshot_id: int
    values: dict[str, float]
    verdict: Verdict = "complete"
    gone: frozenset[str] = frozenset()
    """Who has left the Hub by then; everybody else that has no value was merely not seen."""


class Crossing(NamedTuple):
    """Somebody who is across a line on a day."""

    board: str
    entity: str
    day: date
    inward: bool
    """Whether it came in, or up to the number; False: it fell out."""
    top: int | None = None
    """The line is below so many first places; None where it is a number."""
    number: float | None = None
    within: float | None = None
    """The line is so far behind whoever leads, as a share of that."""


def line_behind(most: float, within: float) -> float:
    """The least that somebody has who is at most so far behind one who has `most`.

    Not `most * (1 - within)`, by which 55 is not within 45 % of 100.
    """
    return most - most * within


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule satisfied: everything a message about it says. Names and values are data from outside: hostile text."""

    alert_id: str
    rule: str
    board: str
    kind: str
    """The rule's `when`: lead_change, overtake, ..."""
    entity: str
    """Who leads now."""
    rival: str
    """Who led before."""
    state: str
    """pending, firing, reverted, held or silenced."""
    day: date
    """First of the days that confirm it."""
    confirmed_day: date | None
    title: str
    value: float
    rival_value: float
    margin: float
    """(leader - rival) / leader on the confirming day."""
    definition: str
    """The board's meaning as one English sentence."""
    snapshot_id: int
    quality: str = ""
    """How good the data is, in words."""
    why: str = ""
    """What moved, in one line; empty where nothing is known."""
    confirm: int = 1
    """How many complete days the rule asked for."""
    changes: int = 0
    """For contested and settled: how often the lead, or the order of the two, changed while it was contested."""
    pair: bool = False
    """For contested and settled: it is about the order of these two, not about the lead."""
    thread_of: str = ""
    """The alert that this one continues (a revert, a correction, a settlement); empty for a story of its own."""
    entity_kind: str = ""
    """What its board ranks: family, publisher, country or model; empty where that is not known."""
    history: tuple[tuple[date, float, float], ...] = ()
    """(day, value of entity, value of rival) of the days before, oldest first, for the picture."""
    rival_back_30d: float | None = None
    """The chance that the rival is ahead again within 30 days, seen from the confirming day; None: not known."""
    passes_30d: float | None = None
    """Of who approaches, the chance that it is ahead within 30 days, seen from then; None: not known."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way to one channel."""

    alert_id: str
    channel: str
    status: Literal["pending", "sending", "sent", "dead"]
    attempts: int
    last_error: str | None = None
    sent_at: datetime | None = None
    not_before: datetime | None = None
    """The provider asked not to be called before this moment."""
    last_attempt_at: datetime | None = None
    lease_until: datetime | None = None
    """While `sending`: a sender that has not reported by then is dead."""
    settled: tuple[str, ...] = ()
    """Recipients who need no further attempt."""
    queued_at: datetime | None = None
    told_in: str | None = None
    """Of what was muted: the alert that tells it when the silence is over; empty until then."""


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel is doing."""

    channel: str
    failing_since: datetime | None = None
    failures: int = 0
    """Failures in a row."""
    last_error: str | None = None
    last_sent_at: datetime | None = None
    refused_since: datetime | None = None
    """It refuses whatever it is sent, since the attempt that began then; what waits for it is held."""
    refused_at: datetime | None = None
    """When it refused last."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What is not to be told for a while. An empty rule, board or entity stands for all."""

    silence_id: str
    rule: str
    board: str
    entity: str
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str
    afterwards: bool = True
    """Whether what it muted is told as one summary when it is over."""


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """What detection must know of an alert that is there already."""

    alert_id: str
    slot: str
    kind: str
    entity: str
    rival: str
    state: str
    day: date
    confirmed_day: date | None
    created_at: datetime
    why: str
    told: bool
    """Somebody was told, or may have been, by its own message or within another's."""
    correction: str = ""
    """The correction that is to take it back; empty when there is none."""
    withdrawn: bool = False
    """Somebody was told, or may have been, that it is wrong."""


class Had(NamedTuple):
    """What an entity had at the later end of two, by what its models were at both; in its board's unit."""

    same: float = 0.0
    """On models with a known count at both ends."""
    created: float = 0.0
    """On models created in between."""
    blank: float = 0.0
    """On models that both ends listed, one of them without a count: as much as they had at the other."""
    before: float = 0.0
    """At the earlier end, with what models had later of which it showed no count."""

    @property
    def by_the_models(self) -> float:
        """By the models that it had, whatever the list shows: not by those that were only listed since."""
        return self.same + self.created + self.blank


@dataclass(frozen=True, slots=True)
class Flip:
    """Two entities of a board changing order between two days; a lead change when it is about rank 1."""

    flip_id: str
    board: str
    kind: Literal["lead_change", "overtake"]
    entity: str
    rival: str
    day: date
    value: float
    rival_value: float
    margin: float
    verdict: str
    panel_holds: bool | None = None
