"""A mail server, spoken to by SMTP: the only importer of smtplib, whose errors end here."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from alerts.channels.base import ChannelError
from alerts.channels.deadline import Deadline
from alerts.channels.secrets import redacted
from warehouse.errors import LeadchangeError

SECONDS = 200.0
"""For one message to all its recipients: well below the time after which its sender is taken for dead."""


@dataclass(frozen=True)
class Server:
    """Where mail is handed over, and how. Making one reads the trusted certificates."""

    host: str
    port: int
    tls: Literal["starttls", "implicit", "none"]
    timeout: float
    """Seconds for each answer of the server."""
    our_name: str
    """What we call ourselves; without it smtplib would ask the resolver, which can take long."""
    ca_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = None
    seconds: float = SECONDS
    """For one message to all its recipients, together; who is not reached by then waits for the next attempt."""

    def __post_init__(self) -> None:
        self._context()

    def hand_over(self, content: bytes, sender: str, recipients: list[str]) -> dict[str, ChannelError]:
        """Send `content` to each recipient in a transaction of its own; who did not get it, and why."""
        failures: dict[str, ChannelError] = {}
        try:
            with Deadline(self.seconds) as deadline, self._session(deadline) as smtp:
                for recipient in recipients:
                    try:
                        self._check(smtp, deadline)
                        self._transact(smtp, content, sender, recipient)
                    except ChannelError as failure:
                        failures[recipient] = failure
        except ChannelError as failure:
            return dict.fromkeys(recipients, failure)
        return failures

    def _check(self, smtp: smtplib.SMTP, deadline: Deadline) -> None:
        if deadline.over:
            raise ChannelError(f"not reached within {self.seconds:g} seconds")
        if smtp.sock is None:
            raise ChannelError(f"{self.host} hung up before it was their turn")

    def _transact(self, smtp: smtplib.SMTP, content: bytes, sender: str, recipient: str) -> None:
        handed_over = False
        try:
            _accepted(smtp.mail(sender))
            _accepted(smtp.rcpt(recipient))
            # From here on the server may have the message even though we never hear so.
            handed_over = True
            _accepted(smtp.data(content))
        except OSError as error:
            with suppress(OSError):
                smtp.rset()
            raise self._failure(error, handed_over=handed_over) from None

    @contextmanager
    def _session(self, deadline: Deadline) -> Iterator[smtplib.SMTP]:
        """A connection that is encrypted and logged in, as configured."""
        try:
            smtp = self._connect(deadline)
        except OSError as error:
            raise self._failure(error) from None
        except UnicodeError:
            reason = f"{self.host}:{self.port} cannot be reached: no server can have this name"
            raise ChannelError(reason) from None
        try:
            self._prepare(smtp)
            yield smtp
        finally:
            # Each message is delivered or not by now; a server that is rude at the end changes nothing.
            with suppress(OSError):
                smtp.quit()
            smtp.close()

    def _connect(self, deadline: Deadline) -> smtplib.SMTP:
        context = self._context() if self.tls == "implicit" else None
        return _Client(self.host, self.port, self.our_name, self.timeout, deadline, context)

    def _prepare(self, smtp: smtplib.SMTP) -> None:
        try:
            smtp.ehlo_or_helo_if_needed()
            if self.tls == "starttls":
                self._encrypt(smtp)
            if self.username is not None and self.password is not None:
                smtp.login(self.username, self.password.get_secret_value())
        except OSError as error:
            raise self._failure(error) from None
        except ValueError:
            # Of who logs in a server asks in base64, or should.
            raise ChannelError(f"{self.host} wants a login in a way that cannot be read") from None

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        if not smtp.has_extn("starttls"):
            reason = f'{self.host} offers no STARTTLS on port {self.port}; mend the port, or set tls = "implicit"'
            raise ChannelError(reason, closed=True)
        smtp.starttls(context=self._context())
        # What the server said before it was encrypted is forgotten; it asks to be greeted again.
        smtp.ehlo_or_helo_if_needed()

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise LeadchangeError(f"the certificates in {self.ca_file} cannot be used: {error.strerror}") from None

    def _failure(self, error: OSError, *, handed_over: bool = False) -> ChannelError:
        """What smtplib raised as our error: 5xx for someone to mend, all else may pass.

        What is refused before a message was handed over concerns the login, the sender or the recipient.
        """
        if isinstance(error, smtplib.SMTPResponseException):
            reason = f"{self.host} answered {error.smtp_code} {self._redacted(error.smtp_error)}"
            final = 500 <= error.smtp_code < 600
            return ChannelError(reason, permanent=final, closed=final and not handed_over)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return ChannelError(f"{self.host} cannot do what is asked: {self._redacted(error)}", closed=True)
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"the certificate of {self.host} is not trusted ({error.verify_message}); renew it or set ca_file"
            return ChannelError(reason)
        if handed_over:
            reason = f"{self.host} hung up before it confirmed, the message may be there: {self._redacted(error)}"
            return ChannelError(reason, uncertain=True)
        return ChannelError(f"{self.host}:{self.port} cannot be reached: {self._redacted(error)}")

    def _redacted(self, text: object) -> str:
        """One short line without the password, should a server echo it, or the line that it was sent in."""
        return redacted(text, [self.password, *map(SecretStr, self._sent_as())]) or type(text).__name__

    def _sent_as(self) -> list[str]:
        """The password as it is sent: base64, which anybody reads; with the name (AUTH PLAIN) and alone (LOGIN)."""
        if self.password is None:
            return []
        password = self.password.get_secret_value()
        return [base64.b64encode(form.encode()).decode() for form in (f"\0{self.username}\0{password}", password)]


class _Client(smtplib.SMTP):
    """smtplib's client over a connection that is cut when its time is over."""

    def __init__(
        self, host: str, port: int, our_name: str, timeout: float, deadline: Deadline, context: ssl.SSLContext | None
    ) -> None:
        self._deadline = deadline
        self._implicit = context
        super().__init__(host, port, our_name, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # A host may have several addresses, and each is waited for.
        connection = socket.create_connection((host, port), min(timeout, self._deadline.left() / 4))
        connection.settimeout(timeout)
        self._deadline.watch(connection)
        return connection if self._implicit is None else self._implicit.wrap_socket(connection, server_hostname=host)


def _accepted(answer: tuple[int, bytes]) -> None:
    if not 200 <= answer[0] < 300:
        raise smtplib.SMTPResponseException(*answer)
