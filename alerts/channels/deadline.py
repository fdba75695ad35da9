"""A total time for one delivery. A peer that sends a byte now and then outlives every time limit of a socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self


class Deadline:
    """Used with `with`: connections shown to it are cut when its time is over, whatever they are doing."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._handles: list[socket.socket] = []

    def left(self) -> float:
        """Seconds that are left, never less than a moment, so that it can be used as a socket's time limit."""
        return max(0.001, self._end - self._clock())

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self._clock() >= self._end

    def watch(self, connection: socket.socket) -> None:
        """Cut `connection` when the time is over."""
        # A handle of our own on the same connection: the other one changes hands when it is encrypted.
        self._handles.append(connection.dup())
        if self.over:
            self._cut()

    def _cut(self) -> None:
        for handle in list(self._handles):
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        # Not while it is cutting: a closed handle's number may belong to somebody else by then.
        self._timer.join()
        for handle in self._handles:
            handle.close()
