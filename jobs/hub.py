r"""The Hub: what every publisher lists, as one look that ends, whatever the Hub does. The only door to it.

    publishers --8 at once--> listing, page by page   \
                              the Hub's own count      > agree?  --no--> once more --no--> a problem
                                                      /            --yes-> Listing

A publisher that lists nothing though models of it are known may have another name by now: the Hub is asked where they
are, and what is listed there is taken for its listing.
One publisher's failure is a value in its `Listing`. Only what fails for all of them (nothing ever answers, the token is
refused, time is up) ends the walk early, and then what was read is still returned, and `Walk.problem` says why.
`/resolve/` addresses are never asked for: that would count as a download.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import huggingface_hub
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # public, but not in __all__

from jobs.hub_base import HubError, HubSettings, TokenRefusedError, UnreadableError, WalkCancelled
from jobs.hub_http import HubClient
from jobs.hub_rows import EXPAND, Reading, read_row
from jobs.rate_limit import Quota
from jobs.waiting import StoppedError, run, together
from warehouse.records import HubModel, Listing, Rejected, Walk

__all__ = [
    "Hub",
    "HubError",
    "HubSettings",
    "Overview",
    "TokenRefusedError",
    "UnreadableError",
    "WalkCancelled",
    "overviews",
    "reach",
    "read_quota",
    "read_token",
    "walk",
]

_ROWS_AT_A_TIME = 100
_APART_SECONDS = 0.004  # about what it takes to take in what is said of one publisher
_MAX_PAGES = 1000  # the largest publisher has 71 pages of 1,000
_EXPAND = [("expand", field) for field in EXPAND]

T = TypeVar("T")

Known = Callable[[str], Sequence[str]]
"""Publisher -> a few models that were listed for it and are not known to be gone, by the names they had last."""


class _NothingAnswersError(HubError):
    """One publisher was given up, and nothing has ever been answered: the others need not be tried."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the Hub says about an organisation."""

    name: str
    """What it is called now: not what was asked for, if it was renamed."""
    num_models: int


def read_token() -> str | None:
    """The Hub token of this machine (`HF_TOKEN`, or what `hf auth login` stored); None if there is none."""
    return huggingface_hub.get_token()


def walk(
    settings: HubSettings,
    publishers: Sequence[str],
    *,
    token: str | None,
    progress: Callable[[Listing], None] | None = None,
    known: Known | None = None,
    stop: threading.Event | None = None,
) -> Walk:
    """One look at the Hub: what each of the `publishers` lists, in that order. Blocks until it is done.

    `progress` is told each listing when it is finished; `known` is asked about a publisher that lists nothing; `stop`,
    set by another thread, ends the walk at once.

    Raises:
        WalkCancelled: `stop` was set.
        HubError: the token or the proxy of this machine cannot be used at all.
    """

    async def look() -> Walk:
        async with Hub(settings, token) as hub:
            return await hub.walk(publishers, progress, known)

    try:
        return run(look(), stop)
    except StoppedError:
        raise WalkCancelled("the look at the Hub was told to stop") from None


def overviews(settings: HubSettings, publishers: Sequence[str], *, token: str | None) -> dict[str, Overview | None]:
    """What the Hub says about each publisher; None for one that is no organisation, or unknown.

    Raises:
        HubError: one of them could not be asked.
    """

    async def ask() -> dict[str, Overview | None]:
        async with Hub(settings, token) as hub:
            return await hub.each(publishers, hub.overview)

    return run(ask())


def reach(settings: HubSettings, token: str | None) -> str:
    """One line about what the Hub answered to a small question, asked twice at most.

    Raises:
        HubError: it did not answer, or refused the token.
    """

    async def ask() -> str:
        async with Hub(settings.model_copy(update={"attempts": min(2, settings.attempts)}), token) as hub:
            return await hub.reach()

    return run(ask())


class Hub:
    """Asks the Hub about models; use it as an async context manager. The keywords are those of `HubClient`."""

    def __init__(
        self,
        settings: HubSettings,
        token: str | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._client = HubClient(settings, token, read_quota, sleep=sleep, jitter=jitter, clock=clock, wall=wall)
        self._with_token = token is not None
        self._lanes = asyncio.Semaphore(settings.concurrency)
        self._desk = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def walk(
        self,
        publishers: Sequence[str],
        progress: Callable[[Listing], None] | None = None,
        known: Known | None = None,
    ) -> Walk:
        """See the function `walk`."""
        readings = [Reading(publisher) for publisher in dict.fromkeys(publishers)]
        asked = {reading.publisher.lower() for reading in readings}

        async def read(reading: Reading, after: float) -> None:
            await self._read(reading, after)
            if reading.has_another_name:
                await self._read_as_called(reading, asked)
            elif known is not None and reading.lists_nothing:
                await self._follow(reading, known(reading.publisher), asked)
            reading.finished = True
            if progress is not None:
                progress(reading.listing())

        problem = await self._read_all(readings, read)
        for reading in readings:
            if not reading.finished:
                reading.problem = problem
        return Walk(tuple(reading.listing() for reading in readings), self._client.requests, problem)

    async def overview(self, publisher: str) -> Overview | None:
        """What the Hub says about an organisation; None if there is none of that name. Raises HubError."""
        url = self._client.url(f"/api/organizations/{quote(publisher, safe='')}/overview")
        answer = await self._client.get(url, dict)
        if answer is None:
            return None
        name, num_models = answer.data.get("name"), answer.data.get("numModels")
        if type(num_models) is not int or num_models < 0:
            raise UnreadableError(f"its overview names no usable numModels: {num_models!r:.60}")
        return Overview(name if isinstance(name, str) and name else publisher, num_models)

    async def find_model(self, repo_id: str) -> HubModel | None:
        """One model, under its present name if it was renamed; None if it is gone or private. Raises HubError."""
        answer = await self._client.get(self._client.url(f"/api/models/{quote(repo_id)}", _EXPAND), dict)
        if answer is None:
            return None
        match read_row(answer.data):
            case Rejected() as rejected:
                raise UnreadableError(f"{repo_id}: {rejected.reason}")
            case model:
                return model

    async def reach(self) -> str:
        """See the function `reach`."""
        try:
            answer = await self._client.get(self._client.url("/api/models", [("limit", "1")]), list)
        except UnreadableError as error:
            raise HubError(self._about(error)) from None
        if answer is None:
            raise HubError(f"{self._settings.endpoint} has no /api/models: is it a Hub?")
        who = "with a token" if self._with_token else "without a token"
        quota = self._client.quota
        left = f": {quota.remaining} of {quota.limit} requests left for {quota.reset_seconds:.0f} s" if quota else ""
        return f"{self._settings.endpoint} answers, {who}{left}"

    async def each(self, names: Iterable[str], ask: Callable[[str], Coroutine[Any, Any, T]]) -> dict[str, T]:
        """The answer for every name, several at once. Raises the first HubError that occurs."""
        distinct = list(dict.fromkeys(names))

        async def in_lane(name: str) -> T:
            async with self._lanes:
                return await ask(name)

        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                return dict(zip(distinct, await together(*map(in_lane, distinct)), strict=True))
        except TimeoutError:
            raise HubError(self._time_is_up()) from None

    async def _read_all(
        self, readings: list[Reading], read: Callable[[Reading, float], Coroutine[Any, Any, None]]
    ) -> str | None:
        """Fill the readings; the reason, if that could not be brought to an end."""
        lanes = self._settings.concurrency
        # Lanes that begin together are answered together, and then each waits for all of them before it asks again.
        apart = chain((lane * _APART_SECONDS for lane in range(lanes) if len(readings) > lanes), repeat(0.0))
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                await together(*(read(reading, next(apart)) for reading in readings))
        except TimeoutError:
            return self._time_is_up()
        except (TokenRefusedError, _NothingAnswersError) as error:
            return str(error)
        return None

    async def _read(self, reading: Reading, after: float = 0.0) -> None:
        """One publisher: a look at it, `after` so many seconds, and a second one if the first does not add up."""
        await self._look(reading, after)
        if reading.falls_short(self._settings.count_tolerance):
            # Something may have been published or deleted in between; a second look tells.
            reading.restart()
            await self._look(reading)
            if reading.falls_short(self._settings.count_tolerance):
                reading.problem = f"listed {reading.listed} of {reading.num_models}"

    async def _read_as_called(self, reading: Reading, asked: AbstractSet[str]) -> None:
        """Of a publisher that has another name: read what is listed under that, unless it is `asked` by itself."""
        if reading.called.lower() in asked:
            reading.num_models = None
        else:
            reading.restart(reading.called)
            await self._read(reading)

    async def _follow(self, reading: Reading, names: Sequence[str], asked: AbstractSet[str]) -> None:
        """Of a publisher that lists nothing: read what is listed where its models are now, if that is one place, and
        none that is `asked` by itself. Of those that are known to be at such a place nothing is asked.
        """
        elsewhere = asked - {reading.publisher.lower()}
        names = [name for name in names if name.partition("/")[0].lower() not in elsewhere]
        try:
            async with self._lanes:
                found = [await self.find_model(name) for name in names]
        except UnreadableError as error:
            reading.problem = f"lists nothing, and where its models are could not be read: {error}"
            return
        # Of a publisher that was followed before, single models may be deleted: the others are where they were.
        places = {model.publisher for model in found if model is not None} or {name.partition("/")[0] for name in names}
        if len(places) == 1 and asked.isdisjoint(place.lower() for place in places):
            reading.restart(places.pop())
            await self._read(reading)

    async def _look(self, reading: Reading, after: float = 0.0) -> None:
        """The listing, and the count beside it. The lane is held between attempts too: when nothing answers, the first
        eight find out for all.
        """
        async with self._lanes:
            await asyncio.sleep(after)
            await together(self._list(reading), self._count(reading))
            if reading.gave_up and not self._client.answered:
                raise _NothingAnswersError(self._about(reading.problem))
        # Outside the lane, one listing after the other and a few rows at a time: what is asked and answered meanwhile
        # goes first.
        async with self._desk:
            while reading.read(_ROWS_AT_A_TIME):  # noqa: ASYNC110  (no event is waited for)
                await asyncio.sleep(0)

    async def _count(self, reading: Reading) -> None:
        try:
            overview = await self.overview(reading.name)
        except UnreadableError as error:
            reading.problem = reading.problem or f"the Hub's own count of its models could not be read: {error}"
        else:
            reading.num_models = overview.num_models if overview else None
            reading.called = overview.name if overview else reading.name

    async def _list(self, reading: Reading) -> None:
        try:
            await self._pages(reading)
        except UnreadableError as error:
            reading.problem, reading.gave_up = str(error), error.exhausted

    async def _pages(self, reading: Reading) -> None:
        # By creation, oldest first: the only order that does not move while one reads it.
        query = [("author", reading.name), ("limit", str(self._settings.page_size))]
        url = self._client.url("/api/models", [*query, ("sort", "createdAt"), ("direction", "1"), *_EXPAND])
        seen: set[httpx.URL] = set()
        while (answer := await self._client.get(url, list)) is not None:
            reading.take(answer.data)
            next_url = self._client.next_url(answer)
            if next_url is None:
                return
            seen.add(url)
            if next_url in seen or len(seen) == _MAX_PAGES:
                raise UnreadableError(f"its pages do not end: gave up after {len(seen)}")
            url = next_url
        raise UnreadableError("the Hub has no such page")

    def _about(self, error: object) -> str:
        return f"{self._settings.endpoint} cannot be read: {error}"

    def _time_is_up(self) -> str:
        return f"not finished within {self._settings.deadline_seconds:g} s"


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """The rate limit that an answer's headers tell of; None where they do not."""
    info = parse_ratelimit_headers(headers)
    return Quota(info.remaining, info.reset_in_seconds, info.limit) if info else None
