"""Every other service there is, through apprise: Discord, Telegram, Teams, Matrix, ntfy, and a hundred more.

Apprise says only yes or no, and the rest in its log, where the URL may be: of that log nothing is kept but the status
that the service answered with. The chart is not attached: a service may take the words and refuse the picture, and the
only answer would be no.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Literal

from pydantic import model_validator

from alerts.channels.base import ChannelError, ChannelSettings, Receipt
from alerts.channels.secrets import SecretError, SecretFile, Variable, read_secret
from alerts.message import Message
from alerts.text import slack_plain

_STATUS = re.compile(r"\berror=(\d{3})\b")
_LINE_LIMIT = 2000


class AppriseSettings(ChannelSettings):
    """Keys of a `type = "apprise"` channel, for Discord, Telegram, Teams, Matrix, ntfy and many others: where the
    service's URL, as apprise writes it, is kept.
    """

    type: Literal["apprise"] = "apprise"
    url_env: Variable | None = None
    url_file: SecretFile | None = None

    @model_validator(mode="after")
    def _one_source(self) -> AppriseSettings:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give either url_env or url_file: the service's URL holds its secrets")
        return self


class AppriseChannel:
    """Sends each alert as plain text to one service. Building it reads the URL and refuses one that names none."""

    min_interval_seconds = 1.0

    def __init__(self, settings: AppriseSettings) -> None:
        self.name = settings.name
        what = f"apprise URL of channel {settings.name!r}"
        self._url = read_secret(settings.url_env, settings.url_file, what)
        service = _library().Apprise.instantiate(self._url.get_secret_value())
        if service is None:
            raise SecretError(f"the {what} names no service that apprise knows, or lacks a part that the service needs")
        self._service = re.sub(r"[^\w .-]", "", str(service.service_name))[:40]

    def send(self, message: Message) -> Receipt:
        """Send the message, once."""
        library = _library()
        asset = library.AppriseAsset(app_id="leadchange", app_desc="leadchange", async_mode=False)
        sender = library.Apprise(asset=asset)
        sender.add(self._url.get_secret_value())
        with _statuses() as statuses:
            took = sender.notify(title=slack_plain(message.title, 250), body=body(message), body_format="text")
        if not took:
            raise self._refusal(statuses)
        return Receipt()

    def _refusal(self, statuses: list[int]) -> ChannelError:
        """4xx are for someone to mend, except 408, 425 and 429; without a status nobody knows what happened."""
        if not statuses:
            return ChannelError(f"{self._service} gave no answer, the message may be there", uncertain=True)
        final = all(400 <= status < 500 and status not in {408, 425, 429} for status in statuses)
        closed = all(status in {401, 403, 404, 410} for status in statuses)
        return ChannelError(f"{self._service} answered {', '.join(map(str, statuses))}", permanent=final, closed=closed)


def body(message: Message) -> str:
    """The text, with nothing in it that any service could read as markup or a mention, and our own link."""
    lines = "\n".join(slack_plain(line, _LINE_LIMIT) for line in message.text.splitlines()[1:])
    link = message.link or ""
    return (lines.replace(slack_plain(link, _LINE_LIMIT), link) if link else lines).strip()


@cache
def _library() -> ModuleType:
    """Apprise with all its services, loaded when it is needed: that takes a second."""
    logging.getLogger("apprise").addFilter(_pick)
    # The client below it writes every URL into the log.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        # Its services import what this Python may deprecate; they are loaded when the first one is asked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415 see above

        apprise.Apprise.instantiate("json://localhost")
    return apprise


_STATUSES: ContextVar[list[int] | None] = ContextVar("statuses", default=None)
"""Where those of the message being sent go; apprise may use threads, and takes this along into them."""


def _pick(record: logging.LogRecord) -> bool:
    """Keep the statuses in a line of apprise's log, and nothing else of it."""
    statuses = _STATUSES.get()
    if statuses is not None and record.levelno >= logging.WARNING:
        statuses += map(int, _STATUS.findall(record.getMessage()))
    return False


@contextmanager
def _statuses() -> Iterator[list[int]]:
    """The statuses that the services of a message sent meanwhile answer with."""
    found: list[int] = []
    token = _STATUSES.set(found)
    try:
        yield found
    finally:
        _STATUSES.reset(token)
