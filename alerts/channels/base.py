"""What every channel is made of: its settings' root, its protocol, its receipt and its one error."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from alerts.message import Message
from warehouse.errors import LeadchangeError


class ChannelSettings(BaseModel):
    """The `[[channel]]` keys that all types have. Reading them touches no secret; building the channel does."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took the message: its identifier for it, if it gives one, and what is worth remembering."""

    id: str | None = None
    note: str = ""


class ChannelError(LeadchangeError):
    """A message that was not delivered, or not for certain.

    Attributes:
        permanent: trying again cannot help; someone has to mend something first.
        closed: it is the channel that is refused, not this message: nothing gets through until it is mended. Such an
            error is permanent.
        retry_after: seconds for which the provider asked not to be called; None when it did not ask.
        uncertain: the provider may have taken the message all the same.
        settled: recipients who took it all the same; to be added to `Message.settled` when it is tried again.
    """

    exit_code = 4

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        closed: bool = False,
        retry_after: float | None = None,
        uncertain: bool = False,
        settled: tuple[str, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent or closed
        self.closed = closed
        self.retry_after = retry_after
        self.uncertain = uncertain
        self.settled = settled


class Channel(Protocol):
    """One way of reaching people. `send` either returns a receipt or raises `ChannelError`; it never tries twice.

    One whose `shows_pictures` is true gets messages with their pictures; for others none is drawn.
    """

    @property
    def name(self) -> str:
        """The channel's name in the configuration."""

    def send(self, message: Message) -> Receipt:
        """Deliver one message, once.

        Raises:
            ChannelError: the message was refused, or nobody can say whether it arrived.
        """


@runtime_checkable
class Reconciling(Protocol):
    """A channel that can find out whether a message arrived when an attempt ended without anyone knowing."""

    def reconcile(self, message: Message) -> Receipt | None:
        """The receipt of `message` if the provider has it; None if it has not. To be asked before sending it again.

        Raises:
            ChannelError: the provider cannot be asked now; whether it has the message is still open.
        """


def retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds of a `Retry-After`, which may also be a date; None for nonsense."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter of a zone that is further away than a calendar goes
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def is_loopback(host: str) -> bool:
    """Whether `host` (without brackets or port) is this very machine, judged by its name alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
