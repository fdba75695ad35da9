"""A folder that receives exactly what Slack and a mail server would: for demonstrations, audits and other programs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Literal

from alerts.channels import mailform, slackwire
from alerts.channels.base import ChannelError, ChannelSettings, Receipt
from alerts.channels.mailsettings import MailSettings
from alerts.message import Message


class FolderSettings(ChannelSettings):
    """Keys of a `type = "folder"` channel: the folder, which is made when it is missing."""

    type: Literal["folder"] = "folder"
    path: Path


class Folder:
    """Writes two files an alert: `<day>-<alert_id>.slack.json` and `<day>-<alert_id>.eml`."""

    shows_pictures = True

    def __init__(self, settings: FolderSettings) -> None:
        self.name = settings.name
        self._path = settings.path.expanduser()
        self._mail = MailSettings.model_validate(
            {"name": self.name, "host": "localhost", "from": "leadchange@localhost", "to": ["folder@localhost"]}
        )

    def send(self, message: Message) -> Receipt:
        """Write both files, each at once or not at all; the same message again replaces them."""
        stem = f"{message.day}-{re.sub(r'[^A-Za-z0-9_-]+', '_', message.alert_id)[:100]}"
        content = json.dumps(slackwire.payload(message), indent=2, ensure_ascii=False) + "\n"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._write(f"{stem}.slack.json", content.encode())
            self._write(f"{stem}.eml", mailform.build(message, self._mail).as_bytes())
        except OSError as error:
            raise ChannelError(f"cannot write to {self._path}: {error.strerror}") from error
        return Receipt(id=stem)

    def _write(self, name: str, content: bytes) -> None:
        """Under a hidden name first: whoever watches the folder never sees half a file."""
        draft = self._path / f".{name}.{os.getpid()}"
        try:
            draft.write_bytes(content)
            draft.replace(self._path / name)
        finally:
            draft.unlink(missing_ok=True)
