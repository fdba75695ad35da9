"""Alerts on a terminal, or wherever standard output goes."""

from __future__ import annotations

import sys
from typing import Literal, TextIO

from alerts.channels.base import ChannelError, ChannelSettings, Receipt
from alerts.message import Message
from alerts.text import terminal


class ConsoleSettings(ChannelSettings):
    """Keys of a `type = "console"` channel: there are none beside the name."""

    type: Literal["console"] = "console"


class Console:
    """Writes each alert to a text stream; standard output unless told otherwise."""

    def __init__(self, settings: ConsoleSettings, stream: TextIO | None = None) -> None:
        self.name = settings.name
        self._stream = stream

    def send(self, message: Message) -> Receipt:
        """Write the message and flush it; the title is bold where the stream is a terminal."""
        # Standard output is looked up now: whoever redirects it after this channel was built is right.
        stream = self._stream or sys.stdout
        title, _, body = terminal(message.text, stream.encoding or "utf-8").partition("\n")
        if stream.isatty():
            title = f"\x1b[1m{title}\x1b[0m"
        # Written plainly: rich ends the whole process when whoever reads the output has gone.
        try:
            stream.write(f"{title}\n{body}\n")
            stream.flush()
        except OSError as error:
            raise ChannelError(f"cannot write to the console: {error.strerror}") from error
        return Receipt()
