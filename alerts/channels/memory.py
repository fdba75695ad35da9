"""A channel that keeps what it is given and fails when asked to: for tests, of this program and of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from alerts.channels.base import ChannelError, ChannelSettings, Receipt
from alerts.message import Message


class MemorySettings(ChannelSettings):
    """Keys of a `type = "memory"` channel: there are none beside the name."""

    type: Literal["memory"] = "memory"


class Memory:
    """Keeps every message that it took, in order, as long as it lives; like a Slack bot it can be asked for one."""

    shows_pictures = True

    def __init__(self, settings: MemorySettings) -> None:
        self.name = settings.name
        self.sent: list[Message] = []
        """What arrived; a message that was sent twice is there twice."""
        self.attempts = 0
        self._failures: list[tuple[ChannelError, bool]] = []

    def fail(self, error: ChannelError, times: int = 1, *, arrives: bool = False) -> None:
        """Raise `error` at the next `times` attempts; with `arrives` the message is kept all the same."""
        self._failures += [(error, arrives)] * times

    def send(self, message: Message) -> Receipt:
        """Keep the message, or fail as asked."""
        self.attempts += 1
        error, arrives = self._failures.pop(0) if self._failures else (None, True)
        if arrives:
            self.sent.append(message)
        if error is not None:
            # A new one each time: an error that is raised twice carries the traceback of the first time.
            raise _again(error)
        return Receipt(id=f"memory-{len(self.sent)}")

    def reconcile(self, message: Message) -> Receipt | None:
        """The receipt of a message that is here already."""
        for number, known in enumerate(self.sent, start=1):
            if known.alert_id == message.alert_id:
                return Receipt(id=f"memory-{number}")
        return None

    @property
    def titles(self) -> list[str]:
        """The headlines of what arrived."""
        return [message.title for message in self.sent]

    def unexpected(self, titles: Iterable[str]) -> list[str]:
        """The headlines that arrived beside, or more often than, `titles`."""
        wanted = list(titles)
        return [title for title in self.titles if not _taken(title, wanted)]


def _taken(title: str, wanted: list[str]) -> bool:
    if title not in wanted:
        return False
    wanted.remove(title)
    return True


def _again(error: ChannelError) -> ChannelError:
    return ChannelError(
        str(error),
        permanent=error.permanent,
        closed=error.closed,
        retry_after=error.retry_after,
        uncertain=error.uncertain,
        settled=error.settled,
    )
