"""Slack, by an incoming webhook. The webhook's URL is the credential and must never show anywhere."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from alerts.channels.base import ChannelError, ChannelSettings, Receipt, is_loopback
from alerts.channels.secrets import SecretError, SecretFile, Variable, read_secret, redacted
from alerts.channels.slackwire import CLOSED, PAUSE, SILENT, failures, payload, plain_payload, seconds
from alerts.message import Message

HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
"""The only hosts a webhook may live on, beside this machine itself."""


class SlackSettings(ChannelSettings):
    """Keys of a `type = "slack"` channel: where the webhook's URL is kept, and a time limit in seconds."""

    type: Literal["slack"] = "slack"
    url_env: Variable | None = None
    url_file: SecretFile | None = None
    timeout: float = Field(default=15, gt=0, le=120)

    @model_validator(mode="after")
    def _one_source(self) -> SlackSettings:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give either url_env or url_file: the webhook's URL is a secret")
        return self


class Slack:
    """Posts each alert to one webhook. Building it reads the URL and refuses one that is not Slack's."""

    min_interval_seconds = PAUSE

    def __init__(self, settings: SlackSettings) -> None:
        self.name = settings.name
        self._timeout = settings.timeout
        what = f"webhook URL of channel {settings.name!r}"
        self._url = read_secret(settings.url_env, settings.url_file, what)
        _check_url(self._url, what)

    def send(self, message: Message) -> Receipt:
        """Post the message; when Slack answers 400, post its plain text once instead."""
        status, body, headers = self._post(payload(message))
        note = ""
        if status == 400:
            note = f"sent as plain text: Slack refused the blocks ({body})"
            status, body, headers = self._post(plain_payload(message))
        if status == 200 and body == "ok":
            return Receipt(note=note)
        raise _refusal(status, body, headers)

    def _post(self, content: dict[str, Any]) -> tuple[int, str, dict[str, str]]:
        """One request: status, body as one short line, headers with lower-case names."""
        from alerts.channels.slack_hook import Client  # noqa: PLC0415 slack_sdk, which a message alone needs

        url = self._url.get_secret_value()
        client = Client(url, timeout=self._timeout, logger=SILENT, retry_handlers=[])  # type: ignore[arg-type]
        with failures(self._redacted):
            response = client.send_dict(content)
            return response.status_code, self._redacted(response.body), response.headers

    def _redacted(self, text: object) -> str:
        """One short line without the URL or any part of it, whatever a proxy or server chose to echo."""
        return redacted(text, [self._url])


def _check_url(secret: SecretStr, what: str) -> None:
    url = secret.get_secret_value()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise SecretError(f"the {what} is no URL") from None
    if not url.isascii() or set(url) & set(" @\\") or not parts.path.strip("/"):
        raise SecretError(f"the {what} is no webhook URL; it looks like https://hooks.slack.com/services/...")
    if is_loopback(host) and parts.scheme in {"http", "https"}:
        return
    if parts.scheme != "https" or host not in HOSTS:
        raise SecretError(f"the {what} must begin with https:// and be on {' or '.join(sorted(HOSTS))}")


def _refusal(status: int, body: str, headers: dict[str, str]) -> ChannelError:
    """Slack's answer as our error. 4xx are for someone to mend, except 408 and 429; all else may pass.

    What 401, 403, 404 and 410 refuse is the webhook, whatever the message; Slack says so in a word as well.
    """
    reason = f"Slack answered {status}: {body or 'nothing'}"
    if status == 429:
        return ChannelError(reason, retry_after=seconds(headers.get("retry-after")))
    closed = status in {401, 403, 404, 410} or (status == 400 and body in CLOSED)
    return ChannelError(reason, permanent=400 <= status < 500 and status != 408, closed=closed)
