"""Asynchronous work behind a synchronous door: several things at once, and stopped from outside. No business logic."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_STOP_POLL_SECONDS = 0.05
_OBJECTS_BETWEEN_SEARCHES = 100_000  # those of 30,000 rows, some 20 MB


class StoppedError(Exception):
    """The work was told to stop before it was done."""


def run(work: Coroutine[Any, Any, T], stop: threading.Event | None = None) -> T:
    """The result of `work`; blocks until it is done.

    Raises:
        StoppedError: another thread has set `stop`; the work was cancelled wherever it was.
    """
    _settle()
    # Not as the main task's result: on Python 3.11 asyncio.run asks signal.getsignal for its handler, which spells out
    # the whole task in an error it then swallows; 0.15 s for 20,000 models.
    outcome: list[T] = []
    asyncio.run(_unless(stop or threading.Event(), work, outcome.append))
    return outcome[0]


@functools.cache
def _settle() -> None:
    """Search for unused objects more seldom, and not among what is loaded by now. While thousands of rows come in, all
    of which are kept, Python would do it again and again, which takes as long as reading half of them.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES)


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """All results. The first failure cancels the rest and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _unless(stop: threading.Event, work: Coroutine[Any, Any, T], tell: Callable[[T], None]) -> None:
    asyncio.get_running_loop().set_default_executor(_Unwaited())
    task = asyncio.create_task(work)
    try:
        while not stop.is_set():
            if (await asyncio.wait({task}, timeout=_STOP_POLL_SECONDS))[0]:
                return tell(task.result())
    finally:
        task.cancel()
        await asyncio.wait({task})
    raise StoppedError


class _Unwaited(ThreadPoolExecutor):
    """Runs name lookups, which nothing can cancel, on threads that nobody waits for: not a deadline, not the exit."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  (handed to whoever asked)
                future.set_exception(error)

        threading.Thread(target=work, daemon=True, name="lookup").start()
        return future
