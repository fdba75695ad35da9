"""Parts of far-away files, read by HTTP range: never a whole file, every byte counted.

    address --302--> storage --206--> parts, written at their own places into a local copy with holes

A file that changes in between is noticed (`If-Range`, `ETag`, size), one that does not come is asked for again, and a
rate limit is kept. The token goes to the endpoint's own origin and to no storage that a redirect names.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from jobs.hub_base import HubError, HubSettings, TokenRefusedError, UnreadableError
from jobs.hub_http import certificates, user_agent
from jobs.rate_limit import RESET_GRACE_SECONDS, Gate, Quota, backoff_seconds, retry_after_seconds
from jobs.waiting import StoppedError

logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells the whole URL of every request, signatures included

_MAX_REDIRECTS = 5
_MAX_PART_BYTES = 16 * 2**20
_MAX_GAP_BYTES = 2**20
_SLOWEST_BYTES_PER_SECOND = 50_000
_WASTE = 0.08
"""Share of what is needed that may be read beside it, to ask less often."""


class Range(NamedTuple):
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


@dataclass(slots=True)
class Tally:
    """What reading a file has taken so far."""

    requests: int = 0
    bytes: int = 0
    """Of the file, those read in vain included."""


class MissingError(UnreadableError):
    """There is no such file, or not any more."""


class DamagedError(UnreadableError):
    """The file is there and is not what it should be."""


_CHANGED = "it changed while it was read"
"""Nothing can be said of the file itself: a commit's never changes, so it is what stores it that is not at one."""


class _Answer(NamedTuple):
    url: httpx.URL
    """The address that gave it, after all redirects."""
    headers: httpx.Headers
    body: bytes


class _AgainError(Exception):
    """What may go away by itself."""


class _MovedError(Exception):
    """The storage does not know this address any more: the endpoint must say anew where the file is."""


def coalesced(ranges: Iterable[Range], waste: float = _WASTE) -> list[Range]:
    """As few ranges as hold all of these: smallest gaps closed first, while they are at most `waste` of the bytes."""
    merged = _touching(sorted(ranges))
    allowed = int(waste * sum(part.length for part in merged))
    gaps = sorted(Range(one.end, other.start) for one, other in pairwise(merged))
    closed: list[Range] = []
    for gap in sorted(gaps, key=lambda gap: gap.length):
        if gap.length > min(allowed, _MAX_GAP_BYTES):
            break
        allowed -= gap.length
        closed.append(gap)
    return _touching(sorted([*merged, *closed]))


def _touching(ranges: Sequence[Range]) -> list[Range]:
    """Ranges in order, those that touch or overlap as one."""
    found: list[Range] = []
    for part in ranges:
        if found and part.start <= found[-1].end:
            found[-1] = Range(found[-1].start, max(found[-1].end, part.end))
        elif part.length:
            found.append(part)
    return found


class Reader:
    """Asks for parts of files, for several threads at once; use it as a context manager.

    `read_quota` finds the rate limit in an answer's headers. Setting `stop` ends whatever is waited for, with
    StoppedError. `sleep` (seconds), `clock` (monotonic seconds) and `wall` (since 1970) are there to be replaced.
    """

    def __init__(
        self,
        settings: HubSettings,
        token: str | None,
        read_quota: Callable[[Mapping[str, str]], Quota | None],
        *,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stop = threading.Event()
        self._settings, self._token, self._read_quota = settings, token, read_quota
        self._sleep, self._clock, self._wall = sleep or self.stop.wait, clock, wall
        self._gate = Gate(settings.quota_share)
        self._in_flight = 0
        self._counting = threading.Lock()
        self._home = _origin(httpx.URL(settings.endpoint))
        headers = {"user-agent": user_agent(), "accept-encoding": "identity"}
        self._client = httpx.Client(headers=headers, timeout=settings.timeout_seconds, verify=certificates())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._client.close()

    def open(self, path: str) -> RemoteFile:
        """The file at a path of the endpoint. Nothing is asked yet."""
        return RemoteFile(self, httpx.URL(self._settings.endpoint + path))

    def part(self, url: httpx.URL, asked: str, etag: str | None, tally: Tally) -> _Answer:
        """One range of a file: `0-99`, or `-8` for the last 8 bytes.

        Raises:
            MissingError: it is not there.
            DamagedError: it is empty.
            TokenRefusedError: the token is wrong.
            UnreadableError: it did not come, although it was asked for again and again, or not as it had this `etag`.
            StoppedError: `stop` was set.
        """
        headers = {"range": f"bytes={asked}"} | ({"if-range": etag} if etag and not etag.startswith("W/") else {})
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return self._follow(url, headers, tally)
            except _AgainError as error:
                if attempt == self._settings.attempts:
                    raise UnreadableError(f"{error} ({attempt} attempts)", exhausted=True) from None
            self._wait(backoff_seconds(attempt, random.random()))  # noqa: S311  (no secret)
        raise AssertionError("unreachable")

    def _follow(self, url: httpx.URL, headers: Mapping[str, str], tally: Tally) -> _Answer:
        for _ in range(_MAX_REDIRECTS + 1):
            response, body = self._exchange(url, headers, tally)
            target = response.headers.get("location")
            if response.status_code not in {301, 302, 303, 307, 308} or target is None:
                self._judge(response, body, elsewhere="/resolve/" not in url.path)
                return _Answer(url, response.headers, body)
            url = _joined(url, target)
        raise UnreadableError(f"redirects more than {_MAX_REDIRECTS} times")

    def _exchange(self, url: httpx.URL, headers: Mapping[str, str], tally: Tally) -> tuple[httpx.Response, bytes]:
        """One request and its whole answer, once the rate limit allows it."""
        self._admit()
        tally.requests += 1
        own = {"authorization": f"Bearer {self._token}"} if self._token and _origin(url) == self._home else {}
        try:
            with self._client.stream("GET", url, headers={**headers, **own}) as response:
                self._heed(response)
                # A file that came whole is not read: it may be gigabytes.
                body = b"" if response.status_code == 200 else self._body(response, tally)
        except httpx.TimeoutException:
            raise _AgainError(f"no answer within {self._settings.timeout_seconds:g} s") from None
        except httpx.RequestError as error:
            raise _AgainError(f"{type(error).__name__}: {error}") from None
        finally:
            with self._counting:
                self._in_flight -= 1
        return response, body

    def _body(self, response: httpx.Response, tally: Tally) -> bytes:
        """The bytes of an answer, in the time that such a length may take."""
        began, body = self._clock(), bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            tally.bytes += len(chunk) if response.status_code == 206 else 0
            if self.stop.is_set():
                raise StoppedError
            if len(body) > _MAX_PART_BYTES:
                raise UnreadableError("answered more than was asked for")
            allowed = self._settings.timeout_seconds + len(body) / _SLOWEST_BYTES_PER_SECOND
            if self._clock() - began > allowed:
                raise _AgainError(f"only {len(body):,} bytes within {allowed:.0f} s")
        return bytes(body)

    def _judge(self, response: httpx.Response, body: bytes, *, elsewhere: bool) -> None:
        """Raise what an answer that is no part of a file means."""
        status = response.status_code
        if status == 206:
            return
        if status in {400, 401, 403, 404, 410} and elsewhere:
            raise _MovedError
        if status in {404, 410} or (status == 401 and response.headers.get("x-error-code") == "RepoNotFound"):
            raise MissingError(f"it is not there ({status})")
        if status == 401 and self._token:
            raise TokenRefusedError
        if status == 416:
            raise DamagedError("it is empty or shorter than it was")
        if status == 200:
            if "if-range" in response.request.headers:
                raise UnreadableError(_CHANGED)
            raise DamagedError("its server gives no parts of files")
        if status in {408, 429} or status >= 500:
            raise _AgainError(f"answered {status}")
        raise UnreadableError(f"answered {status}: {body[:100]!r}")

    def _admit(self) -> None:
        """Wait until the rate limit allows one more request, and count it."""
        while True:
            if self.stop.is_set():
                raise StoppedError
            with self._counting:
                wait = self._gate.wait(self._in_flight, self._clock())
                if wait <= 0:
                    self._in_flight += 1
                    return
            if wait > self._settings.max_wait_seconds:
                longest = f"more than the {self._settings.max_wait_seconds:g} s allowed"
                raise HubError(f"the rate limit asks to wait {wait:.0f} s, {longest}: run it again later")
            self._wait(wait + RESET_GRACE_SECONDS)

    def _heed(self, response: httpx.Response) -> None:
        """Take in what the answer says about the rate limit."""
        headers, now = response.headers, self._clock()
        quota = self._read_quota(headers)
        with self._counting:
            if quota:
                self._gate.note(quota, now)
            if response.status_code in {429, 503}:
                seconds = retry_after_seconds(headers.get("retry-after"), headers.get("date"), self._wall())
                self._gate.hold(seconds or 0.0, now)

    def _wait(self, seconds: float) -> None:
        self._sleep(seconds)
        if self.stop.is_set():
            raise StoppedError


class RemoteFile:
    """One file, read in parts. Where its storage keeps it is asked once, and again when the storage forgets."""

    def __init__(self, reader: Reader, address: httpx.URL) -> None:
        self.tally = Tally()
        self.etag: str | None = None
        self._reader, self._address = reader, address
        self._storage: httpx.URL | None = None
        self._size: int | None = None

    def end(self, length: int) -> bytes:
        """Its last bytes. Raises what `Reader.part` does."""
        return self._ask(f"-{length}")

    @property
    def size(self) -> int:
        """Bytes in all; known once a part was read."""
        if self._size is None:
            raise AssertionError("nothing was read yet")
        return self._size

    def parts(self, ranges: Iterable[Range]) -> Iterator[tuple[int, bytes]]:
        """(start, bytes) of these ranges, the long ones in pieces. Raises what `Reader.part` does."""
        for wanted in ranges:
            for start in range(wanted.start, wanted.end, _MAX_PART_BYTES):
                end = min(start + _MAX_PART_BYTES, wanted.end)
                body = self._ask(f"{start}-{end - 1}")
                if len(body) != end - start:
                    raise UnreadableError(f"{len(body):,} bytes came where {end - start:,} were asked for")
                yield start, body

    def _ask(self, asked: str) -> bytes:
        try:
            answer = self._reader.part(self._storage or self._address, asked, self.etag, self.tally)
        except _MovedError:
            answer = self._anew(asked)
        self._storage = answer.url
        self._note(answer.headers)
        return answer.body

    def _anew(self, asked: str) -> _Answer:
        try:
            return self._reader.part(self._address, asked, self.etag, self.tally)
        except _MovedError:
            raise MissingError("its storage does not have it") from None

    def _note(self, headers: httpx.Headers) -> None:
        """Size and ETag must be those of the parts before."""
        found = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("content-range", ""))
        if found is None:
            raise UnreadableError(f"answered without a usable Content-Range: {headers.get('content-range')!r:.60}")
        size, etag = int(found[1]), headers.get("etag")
        if self._size not in {None, size} or (self._size is not None and self.etag != etag):
            raise UnreadableError(_CHANGED)
        self._size, self.etag = size, etag


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _joined(base: httpx.URL, target: str) -> httpx.URL:
    """Where a redirect leads; not from an encrypted address to one that is not."""
    try:
        url = base.join(target)
    except httpx.InvalidURL:
        raise UnreadableError(f"redirects to {target[:200]!r}, which is no address") from None
    if url.scheme not in {"http", "https"} or (base.scheme, url.scheme) == ("https", "http"):
        raise UnreadableError(f"redirects to {url.scheme}:, which is not followed")
    return url
