"""Where history comes from: the literal table of sources, and the files that each of them has.

hub-stats     a commit a day; the table of all models as it was then
model-pulse   a file a month; a row for each model and day
weekly        a file a week; the table of all models as it was then
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from jobs.history import datasets
from jobs.history.datasets import Commit, Entry
from jobs.history.tables import Layout, Table
from jobs.hub_base import HubSettings
from warehouse.errors import NotKnownError

EARLIEST = date(2000, 1, 1)
"""No history is older: what says so means that it has no date."""

ALL_TIME_SINCE = date(2025, 2, 27)
"""The first day of which an all-time count was recorded; a 0 before it means that it is not known."""

DESCRIPTION: dict[str, tuple[str, ...]] = {
    "created_at": ("createdAt", "created_at", "created"),
    "parameters": ("safetensors.total", "parameters", "params"),
    "gguf_parameters": ("gguf.total",),
    "pipeline_tag": ("pipeline_tag",),
    "library": ("library_name", "library"),
    "gated": ("gated",),
    "disabled": ("disabled",),
    "tags": ("tags",),
    "base_models": ("baseModels",),
}
"""What is said of models beside their counts."""

HUB_TABLE: Layout = {
    "hub_id": ("_id",),
    "repo_id": ("id", "modelId"),
    "publisher": ("author",),
    "downloads_30d": ("downloads",),
    "downloads_all_time": ("downloadsAllTime",),
    "likes": ("likes",),
    **DESCRIPTION,
}
"""All models of one day, as hub-stats writes them; which of these columns there are differs between revisions."""

PULSE_SERIES: Layout = {
    "repo_id": ("id",),
    "day": ("day",),
    "downloads_30d": ("dl30",),
    "downloads_all_time": ("dl_all",),
    "likes": ("likes",),
}
"""One month of Model Pulse."""

DESCRIBING: Layout = {"repo_id": ("id", "repo_id"), **DESCRIPTION}
"""A file that describes models and counts nothing."""

OWN_TABLE: dict[str, tuple[str, ...]] = {
    "day": ("day", "date"),
    "repo_id": ("repo_id", "id", "model_id", "modelId"),
    "hub_id": ("hub_id", "_id"),
    "downloads_30d": ("downloads_30d", "downloads", "dl30"),
    "downloads_all_time": ("downloads_all_time", "downloadsAllTime", "dl_all"),
    "likes": ("likes",),
    **DESCRIPTION,
}
"""Anybody's history, where no option names a column."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a source."""

    revision: str
    """Where it is, as it is recorded on its snapshots."""
    days: tuple[date, ...]
    """Days it may hold, in order; with `many` not all of them need be there."""
    many: bool = False
    """Whether its rows say which day they are of."""
    taken_at: datetime | None = None
    """When its one day was looked at; None: at the beginning of that day."""
    address: str | None = None
    """Where it is at the Hub; None for local files."""
    tables: tuple[Table, ...] = ()
    """Local files, open."""

    def moment(self, day: date) -> datetime:
        """When a day of it was looked at."""
        return self.taken_at or datetime.combine(day, time(), UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset on the Hub that holds history."""

    name: str
    """Of the command, and of the snapshots."""
    repo: str
    layout: Layout
    parts: Callable[[Source, HubSettings, str | None], list[Part]]
    step: int = 1
    """Days from one to the next, where none is missing."""
    describing: str | None = None
    """A file of the newest revision that describes the models, where the parts do not."""


def _commits_a_day(source: Source, settings: HubSettings, token: str | None) -> list[Part]:
    """The last commit of each day that brought the file."""
    return _last_of_each_day(source, datasets.commits(settings, source.repo, token=token))


def newest(source: Source, settings: HubSettings, token: str | None) -> list[Part]:
    """The same, of the newest commits only: one request. Raises HubError."""
    return _last_of_each_day(source, datasets.commits(settings, source.repo, token=token, most=50))


def _last_of_each_day(source: Source, commits: Sequence[Commit]) -> list[Part]:
    path = "models.parquet"
    last = {commit.at.date(): commit for commit in commits if _brings(commit, path)}
    return [
        Part(
            revision=f"{source.repo}@{commit.sha}:{path}",
            days=(day,),
            taken_at=commit.at,
            address=datasets.address(source.repo, commit.sha, path),
        )
        for day, commit in sorted(last.items())
    ]


def _brings(commit: Commit, path: str) -> bool:
    """Whether a commit's title says that it wrote this file."""
    return path in commit.title and not commit.title.lower().startswith(("delete", "remove"))


def _file_a_month(source: Source, settings: HubSettings, token: str | None) -> list[Part]:
    found = []
    for entry in datasets.folder(settings, source.repo, "series", token=token):
        if name := re.fullmatch(r"series/([1-9]\d{3})-(0[1-9]|1[0-2])\.parquet", entry.path):
            year, month = int(name[1]), int(name[2])
            days = tuple(date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1))
            found.append(_file(source, entry, days, many=True))
    return found


def _file_a_day(source: Source, settings: HubSettings, token: str | None) -> list[Part]:
    found = []
    for entry in datasets.folder(settings, source.repo, "models", token=token):
        name = re.fullmatch(r"models/(\d{4}-\d{2}-\d{2})/models\.parquet", entry.path)
        if name and (day := as_day(name[1])):
            found.append(_file(source, entry, (day,)))
    return found


def as_day(text: str) -> date | None:
    """A day written as YYYY-MM-DD; None for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _file(source: Source, entry: Entry, days: tuple[date, ...], *, many: bool = False) -> Part:
    where = datasets.address(source.repo, entry.sha, entry.path)
    return Part(f"{source.repo}@{entry.sha}:{entry.path}", days, many, address=where)


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("hub-stats", "cfahlgren1/hub-stats", HUB_TABLE, _commits_a_day),
        Source("model-pulse", "modelpulse/model-pulse-data", PULSE_SERIES, _file_a_month, describing="models.parquet"),
        Source("weekly", "hfmlsoc/hub_weekly_snapshots", HUB_TABLE, _file_a_day, step=7),
    )
}
"""Every dataset that history can be read from."""


def find(name: str) -> Source:
    """The source of this name; NotKnownError offers the nearest."""
    if name not in SOURCES:
        raise NotKnownError("source", name, SOURCES)
    return SOURCES[name]
