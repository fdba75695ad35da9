"""Slack, by an incoming webhook. The webhook's URL is the credential and must never show anywhere."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from slack_sdk.webhook import WebhookClient, WebhookResponse

from alerts.channels.base import ChannelError, ChannelSettings, Receipt, is_loopback
from alerts.channels.secrets import SecretError, read_secret
from alerts.message import Message
from alerts.text import plain, slack_mrkdwn

HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
"""The only hosts a webhook may live on, beside this machine itself."""

# slack_sdk logs the URL, at DEBUG and in its errors; nothing is loud enough for this logger.
_SILENT = logging.getLogger("alerts.channels.slack.silent")
_SILENT.setLevel(logging.CRITICAL + 1)

_QUIET = {"unfurl_links": False, "unfurl_media": False}
_BODY_LIMIT = 10_000


class SlackSettings(ChannelSettings):
    """Keys of a `type = "slack"` channel: where the webhook's URL is kept, and a time limit in seconds."""

    type: Literal["slack"] = "slack"
    url_env: str | None = None
    url_file: Path | None = None
    timeout: float = Field(default=15, gt=0, le=120)

    @model_validator(mode="after")
    def _one_source(self) -> SlackSettings:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("give either url_env or url_file: the webhook's URL is a secret")
        return self


def payload(message: Message) -> dict[str, Any]:
    """What is posted: the blocks, and the title for notifications."""
    return {**_QUIET, "text": slack_mrkdwn(message.title, 500), "blocks": message.blocks}


def plain_payload(message: Message) -> dict[str, Any]:
    """What is posted when Slack refuses the blocks: the same words without any layout."""
    lines = [slack_mrkdwn(line, 2000) for line in message.text.splitlines()]
    return {**_QUIET, "text": "\n".join(lines).strip(), "mrkdwn": False}


class Slack:
    """Posts each alert to one webhook. Building it reads the URL and refuses one that is not Slack's."""

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
        url = self._url.get_secret_value()
        client = _Client(url, timeout=self._timeout, logger=_SILENT, retry_handlers=[])  # type: ignore[arg-type]
        try:
            response = client.send_dict(content)
        except urllib.error.URLError as error:
            # urllib wraps what happens up to the end of the request, and nothing after it.
            raise ChannelError(f"Slack cannot be reached: {self._redacted(error.reason)}") from None
        except (OSError, HTTPException) as error:
            reason = self._redacted(error) or type(error).__name__
            raise ChannelError(f"Slack did not answer, the message may be there: {reason}", uncertain=True) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, self._redacted(response.body), headers

    def _redacted(self, text: object) -> str:
        """One short line without the URL or its path, whatever a proxy or server chose to echo."""
        url = self._url.get_secret_value()
        return plain(str(text).replace(url, "***").replace(urlsplit(url).path, "***"), 200)


class _Client(WebhookClient):
    """slack_sdk's client, but: no redirects, no proxy to this machine itself, an end to what is read."""

    def _perform_http_request_internal(self, url: str, req: urllib.request.Request) -> WebhookResponse:
        proxies: dict[str, str] | None = {} if is_loopback(urlsplit(url).hostname or "") else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _NoRedirect)
        try:
            answer = opener.open(req, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read(_BODY_LIMIT).decode("utf-8", "replace")
            return WebhookResponse(url=url, status_code=answer.status, body=body, headers=dict(answer.headers))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: following it would carry the message to somewhere unchecked."""

    def redirect_request(self, *_: object) -> None:
        return None


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
    """Slack's answer as our error. 4xx are for someone to mend, except 408 and 429; all else may pass."""
    reason = f"Slack answered {status}: {body or 'nothing'}"
    if status == 429:
        return ChannelError(reason, retry_after=_seconds(headers.get("retry-after")))
    return ChannelError(reason, permanent=400 <= status < 500 and status != 408)


def _seconds(value: str | None) -> float | None:
    """A `Retry-After` in seconds; None for a date or nonsense, which Slack does not send."""
    return float(value) if value is not None and value.strip().isdecimal() else None
