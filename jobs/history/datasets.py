"""Dataset repositories on the Hub: which revisions and files there are, and a table of one, read by range.

The lists come through `jobs.hub_http` as those of models do, the files through `jobs.history.ranges`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import quote

import httpx

from jobs import hub
from jobs.history.ranges import Reader, RemoteFile, Tally, coalesced
from jobs.history.tables import FOOTER_BYTES, Layout, Table, footer_range
from jobs.hub_base import HubError, HubSettings, UnreadableError
from jobs.hub_http import HubClient
from jobs.waiting import run

_MAX_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a repository."""

    sha: str
    title: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a repository, with the last commit that changed it."""

    path: str
    size: int
    sha: str
    """Of that commit; where the Hub does not say, of the revision asked for."""
    at: datetime | None


def commits(settings: HubSettings, repo: str, *, token: str | None, most: int | None = None) -> list[Commit]:
    """Every commit of a dataset's main branch (or the newest, `most` of them), oldest first. Raises HubError."""
    url = f"/api/datasets/{quote(repo)}/commits/main"
    query = [("p", "0"), ("limit", str(most or 1000))]
    rows = _listed(settings, token, repo, url, query, pages=1 if most else None)
    known = ((row.get("id"), str(row.get("title", "")), _at(row)) for row in rows)
    found = [Commit(sha, title, moment) for sha, title, moment in known if isinstance(sha, str) and moment]
    return sorted(found, key=lambda commit: commit.at)


def folder(settings: HubSettings, repo: str, path: str, *, token: str | None) -> list[Entry]:
    """Every file below a path of a dataset's main branch, by path. Raises HubError."""
    url = f"/api/datasets/{quote(repo)}/tree/main/{quote(path)}".rstrip("/")
    rows = _listed(settings, token, repo, url, [("recursive", "true"), ("expand", "true")])
    return sorted((_entry(row) for row in rows if row.get("type") == "file"), key=lambda entry: entry.path)


def address(repo: str, revision: str, path: str) -> str:
    """Where a file of a revision is, below the endpoint."""
    return f"/datasets/{quote(repo)}/resolve/{quote(revision, safe='')}/{quote(path)}"


@dataclass(frozen=True, slots=True)
class RemoteTable:
    """A Parquet file of which the footer is here, and of the rest what was fetched."""

    table: Table
    _remote: RemoteFile
    _local: IO[bytes]

    @property
    def tally(self) -> Tally:
        """What reading it has taken so far."""
        return self._remote.tally

    def fetch(self, groups: Sequence[int], names: Collection[str] | None = None) -> None:
        """Read columns (by our names; None: all wanted) of row groups. Raises what `Reader.part` does."""
        for start, body in self._remote.parts(coalesced(self.table.ranges(groups, names))):
            self._local.seek(start)
            self._local.write(body)
        self._local.flush()


def open_table(reader: Reader, where: str, layout: Layout, local: IO[bytes]) -> RemoteTable:
    """The footer of the file at an address, in a local copy with holes.

    Raises:
        MissingError: there is no such file.
        DamagedError: it is no Parquet file, or has other columns.
        UnreadableError: it could not be read, although it was tried again and again.
    """
    remote = reader.open(where)
    end = remote.end(FOOTER_BYTES)
    footer = footer_range(remote.size, end)
    local.truncate(remote.size)
    for start, body in remote.parts([footer]):
        local.seek(start)
        local.write(body)
    local.flush()
    return RemoteTable(Table(local, layout), remote, local)


def reader(settings: HubSettings, token: str | None) -> Reader:
    """What reads files of this Hub; a context manager."""
    return Reader(settings, token, hub.read_quota)


def _listed(
    settings: HubSettings,
    token: str | None,
    repo: str,
    path: str,
    params: list[tuple[str, str]],
    *,
    pages: int | None = None,
) -> list[dict[str, Any]]:
    """All rows of a listing, page by page; of the first `pages` only."""

    async def ask() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        async with HubClient(settings.model_copy(update={"concurrency": 1}), token, hub.read_quota) as client:
            url: httpx.URL | None = client.url(path, params)
            for page in range(1, _MAX_PAGES + 1):
                answer = await client.get(url, list) if url else None
                if answer is None:
                    raise HubError(f"{settings.endpoint} has no dataset {repo}, or nothing at {path}")
                rows += [row for row in answer.data if isinstance(row, dict)]
                url = client.next_url(answer)
                if url is None or page == pages:
                    return rows
        raise HubError(f"the pages of {repo} do not end: gave up after {_MAX_PAGES}")

    try:
        return run(ask())
    except UnreadableError as error:
        raise HubError(f"{settings.endpoint} cannot be read: {error}") from None


def _entry(row: dict[str, Any]) -> Entry:
    last = row.get("lastCommit")
    commit = last if isinstance(last, dict) else {}
    size = row.get("size")
    return Entry(
        str(row.get("path")), size if isinstance(size, int) else 0, str(commit.get("id") or "main"), _at(commit)
    )


def _at(row: dict[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(row.get("date")))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
