"""The keys of a mail channel, and what a mail address may look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from alerts.channels.base import ChannelSettings, is_loopback
from alerts.channels.secrets import SecretFile, Variable
from warehouse.spelling import spelled

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
MailAddress = Annotated[
    str,
    StringConstraints(max_length=254),
    spelled(
        rf"{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", "be a mail address alone, such as desk@example.org"
    ),
]
"""A bare address, `desk@example.org`: no name before it, no angle brackets."""

_Login = Annotated[str, spelled("[!-~]+", "have ASCII characters only, and no spaces")]
_Url = Annotated[str, spelled("https://[!-;=?-~]{1,500}", "begin with https://, and have no spaces")]


class MailSettings(ChannelSettings):
    """Keys of a `type = "email"` channel: the server, the sender, and the recipients, to each of whom a mail goes."""

    type: Literal["email"] = "email"
    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    username: _Login | None = None
    password_env: Variable | None = None
    password_file: SecretFile | None = None
    sender: MailAddress = Field(alias="from")
    to: tuple[MailAddress, ...] = Field(min_length=1)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    timeout: float = Field(default=30, gt=0, le=300)
    """Seconds for each answer of the server."""
    ca_file: Path | None = None
    """A PEM file to trust, not the system's."""
    unsubscribe_url: _Url | None = None
    """Where a POST ends the subscription, as RFC 8058 has it; without one a mail to the sender asks for that."""

    @property
    def domain(self) -> str:
        """The sender's domain, in whose name identifiers are made."""
        return self.sender.rpartition("@")[2]

    @model_validator(mode="after")
    def _consistent(self) -> MailSettings:
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError('tls = "none" is for a loopback host only; use "starttls" or "implicit"')
        if self.password_env and self.password_file:
            raise ValueError("give either password_env or password_file")
        if bool(self.username) != bool(self.password_env or self.password_file):
            raise ValueError("username and a password (password_env or password_file) go together")
        return self
