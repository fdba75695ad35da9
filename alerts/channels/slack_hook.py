"""slack_sdk's client for a webhook. Apart from the channel, for it takes longer to import than most commands take."""

from __future__ import annotations

import urllib.request

from slack_sdk.webhook import WebhookClient, WebhookResponse

from alerts.channels.slackwire import request

_BODY_LIMIT = 10_000


class Client(WebhookClient):
    """slack_sdk's client over our own requests."""

    def _perform_http_request_internal(self, url: str, req: urllib.request.Request) -> WebhookResponse:
        status, body, headers = request(url, req, timeout=self.timeout, limit=_BODY_LIMIT)
        return WebhookResponse(url=url, status_code=status, body=body, headers=headers)
