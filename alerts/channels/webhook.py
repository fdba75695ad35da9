"""A webhook: the alert as JSON, signed, for any program that listens. docs/webhook.md tells how to write one."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from alerts.channels.base import ChannelError, ChannelSettings, Receipt, retry_after
from alerts.channels.secrets import SecretFile, Variable, read_secret, redacted
from alerts.message import Message

if TYPE_CHECKING:  # imported where a webhook is built: most configurations have none
    from alerts.channels.guard import Resolver
    from alerts.channels.poster import Answer

VERSION = 1
"""Of the body; raised when something in it changes its meaning or goes."""


class WebhookSettings(ChannelSettings):
    """Keys of a `type = "webhook"` channel: where the URL and the signing secret are kept, and how to reach it."""

    type: Literal["webhook"] = "webhook"
    url_env: Variable | None = None
    url_file: SecretFile | None = None
    secret_env: Variable | None = None
    secret_file: SecretFile | None = None
    allow_private: bool = False
    """Private and loopback addresses may be called too, and over http."""
    timeout: float = Field(default=15, gt=0, le=120)
    """Seconds, for everything together."""
    ca_file: Path | None = None
    """A PEM file to trust, not the system's."""

    @model_validator(mode="after")
    def _one_source(self) -> WebhookSettings:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give either url_env or url_file: a webhook's URL may be a secret")
        if self.secret_env and self.secret_file:
            raise ValueError("give either secret_env or secret_file")
        return self


class Webhook:
    """Posts each alert to one URL."""

    def __init__(self, settings: WebhookSettings, resolver: Resolver | None = None) -> None:
        from alerts.channels.guard import resolve  # noqa: PLC0415 see TYPE_CHECKING above
        from alerts.channels.poster import Poster  # noqa: PLC0415 the same

        self.name = settings.name
        what = f"webhook URL of channel {settings.name!r}"
        self._url = read_secret(settings.url_env, settings.url_file, what)
        self._secret: SecretStr | None = None
        if settings.secret_env or settings.secret_file:
            what_signs = f"signing secret of channel {settings.name!r}"
            self._secret = read_secret(settings.secret_env, settings.secret_file, what_signs)
        self._poster = Poster(
            self._url,
            what,
            allow_private=settings.allow_private,
            timeout=settings.timeout,
            ca_file=settings.ca_file,
            resolver=resolver or resolve,
        )

    def send(self, message: Message) -> Receipt:
        """Post the message. Every attempt carries the same `Idempotency-Key`, by which a repeat is recognised."""
        content = body(message, self.name)
        key = quote(f"{message.alert_id}/{self.name}")
        headers = {"Content-Type": "application/json", "User-Agent": "leadchange", "Idempotency-Key": key}
        if self._secret is not None:
            headers["Leadchange-Signature"] = signature(self._secret, int(message.at.timestamp()), content)
        answer = self._poster.post(content, headers)
        if 200 <= answer.status < 300:
            return Receipt(id=key)
        said = redacted(answer.said, [self._url, self._secret])
        raise _refusal(answer, said, retry_after(answer.headers.get("retry-after"), message.at))


def body(message: Message, channel: str) -> bytes:
    """What is posted. The same arguments give the same bytes."""
    content: dict[str, Any] = {
        "version": VERSION,
        "alert_id": message.alert_id,
        "channel": channel,
        "title": message.title,
        "text": message.text,
        "link": message.link,
        "day": message.day.isoformat(),
        "at": message.at.isoformat(),
        "thread": message.thread,
        "reply_to": message.reply_to,
        "data": message.data,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def signature(secret: SecretStr, moment: int, content: bytes) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>`; by the time a receiver tells old recordings."""
    signed = f"{moment}.".encode() + content
    return f"t={moment},v1={hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()}"


def _refusal(answer: Answer, said: str, wait: float | None) -> ChannelError:
    """4xx are for someone to mend, and so is a webhook that moved for good; all else may pass.

    A webhook that is not there, not ours, or moved takes no other message either.
    """
    status = answer.status
    if 300 <= status < 400:
        reason = f"the webhook answered {status}: redirects are not followed, configure the address it moved to"
        return ChannelError(reason, closed=status in {301, 308})
    reason = f"the webhook answered {status}: {said or 'nothing'}"
    may_pass = status in {408, 425, 429} or not 400 <= status < 500
    closed = status in {401, 403, 404, 405, 410}
    return ChannelError(reason, permanent=not may_pass, closed=closed, retry_after=wait if may_pass else None)
