"""Mail: to whom, and who has it. How one looks is for `mailform`, how to hand it to a server for `mailserver`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import SecretStr

from alerts.channels.base import ChannelError, Receipt
from alerts.channels.mailform import build
from alerts.channels.mailserver import SECONDS, Server
from alerts.channels.mailsettings import MailSettings
from alerts.channels.secrets import SecretError, read_secret
from alerts.message import Message

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


class Mail:
    """Sends each alert to every recipient by itself. Building it reads the password and the trusted certificates."""

    shows_pictures = True

    def __init__(self, settings: MailSettings, seconds: float = SECONDS) -> None:
        self.name = settings.name
        self._settings = settings
        self._server = Server(
            host=settings.host,
            port=settings.port or _PORTS[settings.tls],
            tls=settings.tls,
            timeout=settings.timeout,
            our_name=settings.domain,
            ca_file=settings.ca_file,
            username=settings.username,
            password=_password(settings),
            seconds=seconds,
        )

    def send(self, message: Message) -> Receipt:
        """Deliver to all recipients who have not got the message yet, each in a transaction of its own.

        When nobody waits any longer it is delivered if anyone took it; the receipt then names those who refused.
        """
        mail = build(message, self._settings)
        waiting = [recipient for recipient in dict.fromkeys(self._settings.to) if recipient not in message.settled]
        failures = self._server.hand_over(mail.as_bytes(), self._settings.sender, waiting)
        took = tuple(recipient for recipient in waiting if recipient not in failures)
        final = all(failure.permanent for failure in failures.values())
        if final and (took or message.settled):
            return Receipt(id=mail["Message-ID"], note=_reasons(failures.items()))
        uncertain = any(failure.uncertain for failure in failures.values())
        reasons, closed = _reasons(failures.items()), all(failure.closed for failure in failures.values())
        raise ChannelError(reasons, permanent=final, closed=closed, uncertain=uncertain, settled=took)


def _reasons(failures: Iterable[tuple[str, ChannelError]]) -> str:
    """Each reason once, after those whom it concerns."""
    concerned: dict[str, list[str]] = {}
    for recipient, failure in failures:
        concerned.setdefault(str(failure), []).append(recipient)
    return "; ".join(f"{', '.join(recipients)}: {reason}" for reason, recipients in concerned.items())


def _password(settings: MailSettings) -> SecretStr | None:
    if settings.username is None:
        return None
    what = f"password of channel {settings.name!r}"
    password = read_secret(settings.password_env, settings.password_file, what)
    if not password.get_secret_value().isascii():
        raise SecretError(f"the {what} is unusable: mail servers understand ASCII passwords only")
    return password
