"""The channels: one small file each, one method, one error. `CHANNELS` is all there are.

A new channel is a settings model and a class in a file of its own, and a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alerts.channels.apprise_ import AppriseChannel, AppriseSettings
from alerts.channels.base import Channel, ChannelError, ChannelSettings, Receipt, Reconciling
from alerts.channels.console import Console, ConsoleSettings
from alerts.channels.folder import Folder, FolderSettings
from alerts.channels.mail import Mail
from alerts.channels.mailsettings import MailSettings
from alerts.channels.memory import Memory, MemorySettings
from alerts.channels.slack import Slack, SlackSettings
from alerts.channels.slack_bot import SlackBot, SlackBotSettings
from alerts.channels.webhook import Webhook, WebhookSettings

CHANNELS: dict[str, tuple[type[ChannelSettings], Callable[[Any], Channel]]] = {
    "console": (ConsoleSettings, Console),
    "slack": (SlackSettings, Slack),
    "slack-bot": (SlackBotSettings, SlackBot),
    "email": (MailSettings, Mail),
    "webhook": (WebhookSettings, Webhook),
    "apprise": (AppriseSettings, AppriseChannel),
    "folder": (FolderSettings, Folder),
    "memory": (MemorySettings, Memory),
}
"""`type` in the configuration -> the model of its keys, and what builds the channel from them."""

OFFERED = tuple(kind for kind in CHANNELS if kind != "memory")
"""The types that reach somebody: the other is a double, for tests."""

__all__ = ["CHANNELS", "OFFERED", "Channel", "ChannelError", "ChannelSettings", "Receipt", "Reconciling"]
