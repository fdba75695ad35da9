"""What a backfill is going to read: the files of a source whose days are not here yet, and what that takes, about."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import ClassVar

from jobs.history import datasets
from jobs.history.fetching import LANES
from jobs.history.local_copy import local_copy
from jobs.history.ranges import Reader, coalesced
from jobs.history.sources import DESCRIBING, EARLIEST, Part, Source
from jobs.history.tables import Layout
from jobs.hub_base import HubSettings, UnreadableError
from warehouse.db import Database
from warehouse.errors import LeadchangeError
from warehouse.queries import sql
from warehouse.registry import Registry

FAMILIES_ONLY = " (families only)"
"""The end of the revision of snapshots that hold the models of the registry's publishers only."""
_SETTLED = frozenset({"complete", "suspect"})
"""Verdicts of days that are not read again from another revision."""
_BYTES_PER_SECOND = 10e6
_SECONDS_PER_ROW = 8e-6
"""To decode, identify, judge and write; measured, see docs/backfill.md."""
_SECONDS_PER_REQUEST = 0.1


class MixtureError(LeadchangeError):
    """One source, once with every model and once with some: their days could not be compared."""

    exit_code: ClassVar[int] = 2

    def __init__(self, name: str, *, families_only: bool) -> None:
        held, mend = ("every model", "leave --families-only out") if families_only else (
            "the models of the families only", "add --families-only"
        )  # fmt: skip
        super().__init__(f"{name} is here with {held}: {mend}, or keep this apart as another source with --name")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to read."""

    name: str
    """The source, as it stands on its snapshots."""
    layout: Layout
    parts: tuple[Part, ...]
    """Files to read, oldest first."""
    since: date
    until: date
    step: int = 1
    """Days from one to the next where none is missing."""
    publishers: tuple[str, ...] | None = None
    """Only models of these; None: all."""
    describing: str | None = None
    """Address of a file that describes the models."""
    here: frozenset[date] = frozenset()
    """Days that are here already."""
    tried: frozenset[tuple[date, str]] = field(default=frozenset(), repr=False)
    """Days and revisions of all snapshots that are here."""
    bytes: int | None = None
    """About so many are to be read; None: not known."""
    rows: int = 0
    requests: int = 0

    @property
    def days(self) -> list[date]:
        """Days to read, at most."""
        return [day for part in self.parts for day in self.wanted(part, part.days)]

    @property
    def held(self) -> int:
        """How many of the days asked for are here, whatever the verdict on them."""
        return len({day for day, _ in self.tried if self.since <= day <= self.until})

    @property
    def seconds(self) -> float:
        """How long that takes, about, at 10 MB/s."""
        reading = (self.bytes or 0) / _BYTES_PER_SECOND + self.requests * _SECONDS_PER_REQUEST / LANES
        return max(reading, self.rows * _SECONDS_PER_ROW)

    def revision(self, part: Part) -> str:
        """What is recorded of a part on its snapshots."""
        return part.revision + (FAMILIES_ONLY if self.publishers is not None else "")

    def wanted(self, part: Part, days: Sequence[date]) -> list[date]:
        """Of these days of a part, those to take."""
        revision = self.revision(part)
        return [
            day
            for day in days
            if self.since <= day <= self.until and day not in self.here and (day, revision) not in self.tried
        ]


def plan(
    db: Database,
    source: Source,
    settings: HubSettings,
    registry: Registry,
    *,
    token: str | None,
    today: date,
    name: str = "",
    since: date | None = None,
    until: date | None = None,
    families_only: bool = False,
) -> Plan:
    """Look at what a dataset has up to today and what is here; two of its files are looked into for an estimate.

    Raises:
        HubError: the dataset cannot be listed.
        MixtureError: this source is here with another choice of models.
    """
    publishers = registry.publishers if families_only else None
    found = _fresh(
        db,
        Plan(
            name or source.name,
            source.layout,
            (),
            max(since or EARLIEST, EARLIEST),
            min(until or today, today),
            source.step,
            publishers,
        ),
        source.parts(source, settings, token),
    )
    if source.describing:
        found = replace(found, describing=datasets.address(source.repo, "main", source.describing))
    with datasets.reader(settings, token) as reader:
        return _estimated(found, reader, folder(db))


def plan_files(
    db: Database,
    name: str,
    parts: Sequence[Part],
    registry: Registry,
    *,
    since: date | None = None,
    until: date | None = None,
    families_only: bool = False,
) -> Plan:
    """The same for files of one's own, as `own_files.opened` has them."""
    publishers = registry.publishers if families_only else None
    found = _fresh(db, Plan(name, {}, (), since or date.min, until or date.max, 1, publishers), parts)
    rows = {id(table): table.height for part in found.parts for table in part.tables}
    return replace(found, bytes=0, rows=sum(rows.values()))


def folder(db: Database) -> Path:
    """Where files may be kept meanwhile: on the disk that has room for the warehouse."""
    return db.path.parent if db.path else Path(tempfile.gettempdir())


def _fresh(db: Database, empty: Plan, parts: Sequence[Part]) -> Plan:
    """The plan with those parts that have something to read."""
    known = db.rows(sql("history_of"), {"source": empty.name})
    families_only = empty.publishers is not None
    if any(str(revision).endswith(FAMILIES_ONLY) != families_only for _, revision, _, _ in known):
        raise MixtureError(empty.name, families_only=families_only)
    here = frozenset(day for day, _, verdict, _ in known if verdict in _SETTLED)
    found = replace(empty, here=here, tried=frozenset((day, revision) for day, revision, _, _ in known))
    unreadable = {revision for _, revision, _, unreadable in known if unreadable}
    fresh = [
        part
        for part in parts
        if found.wanted(part, part.days) and not (part.many and found.revision(part) in unreadable)
    ]
    return replace(found, parts=tuple(sorted(fresh, key=lambda part: part.days)))


def _estimated(found: Plan, reader: Reader, where: Path) -> Plan:
    """The plan with what its first and its last file say that all of them take, and the file that describes models."""
    probes = [
        probe
        for part in dict.fromkeys([*found.parts[:1], *found.parts[-1:]])
        if part.address and (probe := _probe(found, reader, part.address, found.layout, where))
    ]
    if not probes:
        return found
    size, rows, requests = (sum(column) / len(probes) * len(found.parts) for column in zip(*probes, strict=True))
    described = _probe(found, reader, found.describing, DESCRIBING, where) if found.describing else None
    more, _, asked = described or (0, 0, 0)
    return replace(found, bytes=round(size) + more, rows=round(rows), requests=round(requests) + asked)


def _probe(found: Plan, reader: Reader, address: str, layout: Layout, where: Path) -> tuple[int, int, int] | None:
    """Bytes, rows and requests of one file; None where it cannot be read."""
    with local_copy(where) as local:
        try:
            table = datasets.open_table(reader, address, layout, local).table
        except UnreadableError:
            return None
        groups = table.row_groups(found.publishers)
        # Where one file holds many days, which ones these are is read before the rest.
        reads = [table.ranges(table.row_groups(), ["day"]), table.ranges(groups, [*table.columns.keys() - {"day"}])]
        size = sum(each.length for ranges in reads for each in ranges)
        return size, table.height, 3 + sum(len(coalesced(ranges)) for ranges in reads)
