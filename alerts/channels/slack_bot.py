"""Slack, by a bot: what a webhook cannot do. Corrections and charts go into the thread; a crash repeats nothing.

The bot must be in the channel, and have the scopes that `SlackBotSettings` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from alerts.channels.base import ChannelError, ChannelSettings, Receipt
from alerts.channels.secrets import SecretFile, Variable, read_secret
from alerts.channels.slackwire import PAUSE, SlackError, checked_endpoint, payload, plain_payload
from alerts.message import Message
from alerts.text import slack_mrkdwn
from warehouse.spelling import spelled

EVENT = "leadchange_alert"
"""The type of the metadata that every message carries; its payload names the alert."""

_BLOCKS_REFUSED = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments"}
_THREAD_GONE = {"thread_not_found", "message_not_found", "cannot_reply_to_message"}
_UPDATE = "leadchange-update"
_PAGES, _PAGE = 5, 200


class SlackBotSettings(ChannelSettings):
    """Keys of a `type = "slack-bot"` channel; the bot must be in it, and have the scopes `chat:write`, `files:write`
    and `channels:history` (or `groups:history`, where it is private).
    """

    type: Literal["slack-bot"] = "slack-bot"
    token_env: Variable | None = None
    token_file: SecretFile | None = None
    channel: Annotated[str, spelled("[CGD][A-Z0-9]{5,}", "be the channel's ID, such as C0123456789")] = Field(
        description="the channel's ID, such as C0123456789"
    )
    endpoint: Annotated[str, AfterValidator(checked_endpoint)] = "https://slack.com/api/"
    timeout: float = Field(default=15, gt=0, le=30, description="seconds for each request to Slack")

    @model_validator(mode="after")
    def _one_source(self) -> SlackBotSettings:
        if (self.token_env is None) == (self.token_file is None):
            raise ValueError("give either token_env or token_file: it is a secret")
        return self


class SlackBot:
    """Posts each alert to one channel, under the message that it continues if there is one."""

    min_interval_seconds = PAUSE
    shows_pictures = True

    def __init__(self, settings: SlackBotSettings) -> None:
        from alerts.channels.slack_api import Api  # noqa: PLC0415 slack_sdk, which takes long to import

        self.name = settings.name
        self._channel = settings.channel
        what = f"bot token of channel {settings.name!r}"
        token = read_secret(settings.token_env, settings.token_file, what)
        self._api = Api(token, what, settings.endpoint, settings.timeout)

    def send(self, message: Message) -> Receipt:
        """Post the message, then its chart into its thread; once it is posted, nothing that fails undoes that."""
        root = self._root(message)
        posted, note = self._post(message, root)
        stamp = str(posted.get("ts", ""))
        notes = [note]
        if message.picture and stamp:
            notes.append(_aside("without its chart", partial(self._chart, message, message.picture, root or stamp)))
        if root:
            notes.append(_aside("the message it continues was not marked", partial(self._mark, message, root)))
        return Receipt(id=self._receipt(root, stamp), note="; ".join(filter(None, notes)))

    def reconcile(self, message: Message) -> Receipt | None:
        """The receipt of a message that is there already: its metadata names the alert."""
        root = self._root(message)
        for said in self._recent(message, root):
            metadata = said.get("metadata") or {}
            named = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT and named.get("alert_id") == message.alert_id:
                return Receipt(id=self._receipt(root, str(said.get("ts", ""))), note="was there, not sent again")
        return None

    def _receipt(self, root: str | None, stamp: str) -> str:
        """`channel:timestamp`, and for a reply `channel:timestamp of the thread:timestamp`."""
        return ":".join(filter(None, (self._channel, root, stamp)))

    def _root(self, message: Message) -> str | None:
        """The thread that the message belongs to; Slack's threads have no threads of their own."""
        channel, _, stamps = (message.reply_to or "").partition(":")
        root = stamps.partition(":")[0]
        return root if channel == self._channel and root.replace(".", "", 1).isdecimal() else None

    def _post(self, message: Message, root: str | None) -> tuple[dict[str, Any], str]:
        metadata = {"event_type": EVENT, "event_payload": {"alert_id": message.alert_id}}
        keys: dict[str, Any] = {"channel": self._channel, "metadata": metadata}
        if root:
            keys |= {"thread_ts": root, "reply_broadcast": True}
        try:
            return self._api.call("chat.postMessage", **keys, **payload(message)), ""
        except SlackError as error:
            if error.code in _BLOCKS_REFUSED:
                note = f"sent as plain text: Slack refused the blocks ({error.code})"
                return self._api.call("chat.postMessage", **keys, **plain_payload(message)), note
            if root and error.code in _THREAD_GONE:
                posted, note = self._post(message, None)
                return posted, note or f"outside its thread, which is gone ({error.code})"
            raise

    def _chart(self, message: Message, picture: bytes, thread: str) -> None:
        self._api.upload(f"{message.day}.png", picture, message.title, self._channel, thread)

    def _mark(self, message: Message, root: str) -> None:
        """Say on top of the message that this one continues that there is more."""
        said = f"Update, see the thread: {slack_mrkdwn(message.title, 300)}"
        mark = {"type": "context", "block_id": _UPDATE, "elements": [{"type": "mrkdwn", "text": said}]}
        keys = {"channel": self._channel, "latest": root, "oldest": root, "inclusive": True, "limit": 1}
        for first in self._api.call("conversations.history", **keys, include_all_metadata=True)["messages"]:
            blocks = [block for block in first.get("blocks", ()) if block.get("block_id") != _UPDATE]
            if blocks:
                kept = {name: first[name] for name in ("text", "metadata") if name in first}
                self._api.call("chat.update", channel=self._channel, ts=root, blocks=[mark, *blocks][:50], **kept)

    def _recent(self, message: Message, root: str | None) -> Iterator[dict[str, Any]]:
        """What the channel, or the thread that the message belongs to, holds since the alert's day."""
        oldest = datetime.combine(message.day, time(), UTC).timestamp()
        keys: dict[str, Any] = {"channel": self._channel, "limit": _PAGE, "include_all_metadata": True}
        method = "conversations.replies" if root else "conversations.history"
        keys |= {"ts": root} if root else {"oldest": f"{oldest:.6f}"}
        for _ in range(_PAGES):
            try:
                page = self._api.call(method, **keys)
            except ChannelError as error:
                if error.permanent:
                    # The bot may not look: then nobody can know, and a repeat is better than a loss.
                    return
                raise ChannelError(str(error), retry_after=error.retry_after, uncertain=True) from None
            yield from page.get("messages") or []
            keys["cursor"] = (page.get("response_metadata") or {}).get("next_cursor")
            if not keys["cursor"]:
                return


def _aside(what: str, step: Callable[[], None]) -> str:
    """Do what a message can do without; `what` and the reason when that fails, else nothing."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 the message is posted: an error now would post it once more
        return f"{what}: {error if isinstance(error, ChannelError) else type(error).__name__}"
    return ""
