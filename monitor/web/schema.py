"""What the API answers, for its OpenAPI description. None stands for "not known"."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Row(BaseModel):
    model_config = ConfigDict(extra="allow")


class BoardRow(_Row):
    """A board, and who leads it on its last day."""

    board: str
    kind: str
    measure: str
    scope: str
    definition: str
    fingerprint: str
    day: date | None
    leader: str | None = Field(description="None also where several are first together and none of them was before")
    value: float | None
    share: float | None
    runner_up: str | None
    runner_up_value: float | None
    margin: float | None
    since: date | None
    days_led: int | None
    since_first_day: bool | None
    snapshot_id: int | None
    leaders: list[str] | None = Field(description="Who is first: the leader, or those who share the place, ten at most")


class StandingRow(_Row):
    """A place on a board on a day."""

    rank: int
    entity: str
    value: float
    share: float | None
    previous_rank: int | None
    day: date
    snapshot_id: int


class LineRow(_Row):
    """An entity of a board on a day."""

    day: date
    entity: str
    value: float
    share: float | None
    rank: int


class ForecastRow(_Row):
    """What is ahead for one who is behind another on a board."""

    day: date = Field(description="The day from which it is seen")
    entity: str
    rival: str = Field(description="Who is ahead")
    value: float
    rival_value: float
    margin: float
    within_30d: float = Field(description="The chance that it has passed the rival on a day up to then")
    within_90d: float
    within_180d: float
    likely_from: date | None = Field(description="By when the chance is one in ten; None: not within 180 days")
    even_by: date | None = Field(description="By when it is as likely as not")
    likely_by: date | None = Field(description="By when the chance is nine in ten")


class FamilyRow(_Row):
    """A family of the registry."""

    family: str
    vendor: str | None
    country: str
    publishers: list[str]


class ModelRow(_Row):
    """A model of a family, as last counted."""

    repo_id: str
    relation: str | None
    parameters: int | None
    pipeline_tag: str | None
    downloads_30d: int | None
    downloads_all_time: int | None
    likes: int | None
    created: date | None
    first_seen: date
    last_seen: date


class FlipRow(_Row):
    """Two entities changing order."""

    flip_id: str
    board: str
    kind: str
    entity: str
    rival: str
    day: date
    previous_day: date
    value: float
    rival_value: float
    margin: float
    verdict: str
    panel_holds: bool | None
    snapshot_id: int


class FlipPage(FlipRow):
    """A flip as it can be quoted."""

    statement: str
    citation: str


class AlertRow(_Row):
    """What a rule said."""

    alert_id: str
    rule: str
    board: str
    kind: str
    entity: str
    rival: str
    state: str
    day: date
    confirmed_day: date | None
    title: str


class DeliveryRow(_Row):
    """An alert on its way to a channel."""

    alert_id: str
    channel: str
    status: str
    attempts: int
    last_error: str | None
    sent_at: datetime | None


class SnapshotRow(_Row):
    """One look at a source."""

    snapshot_id: int
    source: str
    taken_at: datetime
    day: date
    verdict: str
    verdict_reason: str
    models: int
    requests: int
    seconds: float


class TableRow(_Row):
    """A published relation."""

    relation: str
    meaning: str
    columns: list[str]


class SqlAnswer(BaseModel):
    """What a query found."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    seconds: float


class Problem(BaseModel):
    """Why there is no answer."""

    problem: str
