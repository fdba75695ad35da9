"""Alerts on a terminal, or wherever standard output goes."""

from __future__ import annotations

import sys
from typing import Literal, TextIO

import rich.console
import rich.text

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
        console = rich.console.Console(file=stream, highlight=False, soft_wrap=True)
        title, _, body = terminal(message.text, stream.encoding or "utf-8").partition("\n")
        try:
            console.print(rich.text.Text(title, style="bold"))
            console.print(rich.text.Text(body))
            stream.flush()
        except OSError as error:
            raise ChannelError(f"cannot write to the console: {error.strerror}") from error
        return Receipt()
