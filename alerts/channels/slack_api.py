"""Slack's Web API: calls and uploads, and its answers as our errors. The token must never show anywhere."""

from __future__ import annotations

import json
import logging
import ssl as tls
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.file_upload_v2_result import FileUploadV2Result

from alerts.channels.base import ChannelError
from alerts.channels.secrets import SecretError, redacted
from alerts.channels.slackwire import CLOSED, SILENT, SlackError, failures, request, seconds

_BODY_LIMIT = 5_000_000
"""A page of a channel's history is long."""

_UPLOAD_HOSTS = ("slack.com", "slack-gov.com", "slack-files.com", "slack-files-gov.com")
_MAY_PASS = {"ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org", "no_json"}
_OPEN = {"internal_error", "fatal_error"}
"""Slack says of these itself that what was asked may have been done."""


class Api:
    """Calls with one token, called `what` in errors. Each is made once, and answers with a JSON object of Slack's."""

    def __init__(self, token: SecretStr, what: str, endpoint: str, timeout: float) -> None:
        if not token.get_secret_value().isascii() or " " in token.get_secret_value():
            raise SecretError(f"the {what} is no token; it looks like xoxb-...")
        self._token = token
        self._endpoint = endpoint
        self._timeout = timeout

    def call(self, method: str, **keys: object) -> dict[str, Any]:
        """Call a method.

        Raises:
            SlackError: Slack refused.
            ChannelError: Slack could not be asked.
        """
        with failures(self._redacted):
            try:
                # Writing takes JSON; the methods that read take forms only.
                style = "json" if method.startswith("chat.") else "params"
                response = self._client().api_call(method, **{style: keys})  # type: ignore[arg-type]
            except SlackApiError as error:
                raise self._refusal(error) from None
        return dict(response.data) if isinstance(response.data, dict) else {}

    def upload(self, filename: str, content: bytes, title: str, channel: str, thread: str) -> None:
        """Upload a file into a thread.

        Raises:
            ChannelError: it did not get there.
        """
        keys: dict[str, Any] = {"filename": filename, "content": content, "title": title, "alt_txt": title}
        with failures(self._redacted):
            try:
                self._client().files_upload_v2(**keys, channel=channel, thread_ts=thread)
            except SlackApiError as error:
                raise self._refusal(error) from None
            except SlackClientError as error:
                raise ChannelError(f"Slack did not take the file: {self._redacted(error)}") from None

    def _client(self) -> _Client:
        # Made for each call: it holds the token in the open.
        token, timeout = self._token.get_secret_value(), self._timeout
        return _Client(token, self._endpoint, timeout, logger=SILENT, retry_handlers=[])  # type: ignore[arg-type]

    def _refusal(self, error: SlackApiError) -> SlackError:
        """429 and Slack's own troubles may pass; all else is for someone to mend: the channel, or the message."""
        response = error.response
        status, code = int(response.status_code), self._redacted(response.get("error") or "nothing")
        reason = f"Slack answered {code}" if status == 200 else f"Slack answered {status}: {code}"
        if response.get("needed"):
            reason += f" (needed: {self._redacted(response.get('needed'))})"
        may_pass = code in _MAY_PASS | _OPEN or status >= 500 or status in {408, 429} or 300 <= status < 400
        wait = seconds(response.headers.get("retry-after")) if may_pass else None
        return SlackError(
            code,
            reason,
            permanent=not may_pass,
            closed=not may_pass and (code in CLOSED or status in {401, 403, 404, 410}),
            retry_after=wait,
            uncertain=code in _OPEN,
        )

    def _redacted(self, text: object) -> str:
        return redacted(text, [self._token])


class _Client(WebClient):
    """slack_sdk's client over our own requests, uploading to Slack only."""

    def _perform_urllib_http_request_internal(self, url: str, req: urllib.request.Request) -> dict[str, Any]:
        status, body, headers = request(url, req, timeout=self.timeout, limit=_BODY_LIMIT)
        return {"status": status, "headers": headers, "body": _object(body)}

    def _upload_file(
        self,
        *,
        url: str,
        data: bytes,
        logger: logging.Logger,
        timeout: int,
        proxy: str | None,
        ssl: tls.SSLContext | None,
    ) -> FileUploadV2Result:
        del logger, proxy, ssl
        host = urlsplit(url).hostname or ""
        ours = urlsplit(self.base_url).hostname or ""
        theirs = urlsplit(url).scheme == "https" and host.endswith(tuple(f".{name}" for name in _UPLOAD_HOSTS))
        if not theirs and host != ours:
            return FileUploadV2Result(status=0, body="its address for uploads is not its own")
        content = urllib.request.Request(url, data=data, method="POST")  # noqa: S310 https, or this machine
        status, body, _ = request(url, content, timeout=timeout, limit=1000)
        return FileUploadV2Result(status=status, body=body)


def _object(body: str) -> str:
    """A body that is a JSON object; what a portal or a proxy answers is none."""
    try:
        return body if isinstance(json.loads(body), dict) else '{"ok": false, "error": "no_json"}'
    except ValueError:
        return '{"ok": false, "error": "no_json"}'
