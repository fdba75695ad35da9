"""The Hub's own listing of everything, page after page, by creation: the one order that does not move meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from jobs import hub
from jobs.hub_base import HubError, HubSettings, UnreadableError
from jobs.hub_http import HubClient
from jobs.hub_rows import EXPAND, read_row
from jobs.waiting import StoppedError, run
from warehouse.records import HubModel, Rejected


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the listing."""

    models: tuple[HubModel, ...]
    rejected: int
    """Rows that could not be believed and were set aside."""
    next_page: str | None
    """The address of the page behind it; None on the last."""
    requests: int
    """Sent so far, in this go."""


def read_pages(
    settings: HubSettings,
    start: str | None,
    take: Callable[[Page], None],
    *,
    token: str | None,
    stop: threading.Event | None = None,
) -> None:
    """Hand every page to `take`, from `start` on (a `next_page`; None: the first). Blocks until it is done.

    There is no deadline: the quota says how long it takes.

    Raises:
        WalkCancelled: `stop` was set.
        HubError: a page could not be read.
    """
    try:
        run(_read(settings, start, take, token), stop)
    except StoppedError:
        raise hub.WalkCancelled("the census was told to stop") from None
    except UnreadableError as error:
        kept = "what was read of the listing is kept, and the next census goes on there"
        raise HubError(f"{settings.endpoint} cannot be read: {error}; {kept}") from None


async def _read(settings: HubSettings, start: str | None, take: Callable[[Page], None], token: str | None) -> None:
    # One page at a time, for each names the next; and a wait for the next window of the quota is no failure here.
    patient = settings.model_copy(update={"concurrency": 1, "max_wait_seconds": max(settings.max_wait_seconds, 600.0)})
    query = [("limit", str(settings.page_size)), ("sort", "createdAt"), ("direction", "1")]
    expand = [("expand", field) for field in EXPAND]
    async with HubClient(patient, token, hub.read_quota) as client:
        url: httpx.URL | None = httpx.URL(start) if start else client.url("/api/models", query + expand)
        seen: set[httpx.URL] = set()
        while url is not None:
            answer = await client.get(url, list)
            if answer is None:
                raise UnreadableError("the Hub has no such page")
            seen.add(url)
            url = client.next_url(answer)
            if url in seen:
                raise UnreadableError(f"its pages do not end: gave up after {len(seen)}")
            take(_page(answer.data, url, client.requests))


def _page(rows: list[object], next_url: httpx.URL | None, requests: int) -> Page:
    read = [read_row(row) for row in rows]
    models = tuple([row for row in read if not isinstance(row, Rejected)])
    return Page(models, len(read) - len(models), str(next_url) if next_url else None, requests)
