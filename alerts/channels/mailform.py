"""How an alert becomes a mail: its text, its HTML and its picture, and headers that tell programs what it is."""

from __future__ import annotations

import re
import uuid
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import TYPE_CHECKING

from alerts.message import CHART_CID, NAMESPACE, Message

if TYPE_CHECKING:
    from alerts.channels.mailsettings import MailSettings

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,300}>")


class _OneLine(UnstructuredHeader, BaseHeader):
    """A header that is never folded: the library folds a long word into something unreadable (bpo-35805)."""

    def fold(self, *, policy: Policy) -> str:
        """The header as it is."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("In-Reply-To", "References", "List-Id", "List-Unsubscribe"):
    _HEADERS.map_to_type(_name, _OneLine)
_POLICY = SMTP.clone(header_factory=_HEADERS)


def build(message: Message, settings: MailSettings) -> EmailMessage:
    """The mail about `message`: text, HTML and picture. The same arguments give the same bytes."""
    mail = EmailMessage(policy=_POLICY)
    identity = uuid.uuid5(NAMESPACE, f"{message.alert_id}/{settings.name}").hex
    mail["Message-ID"] = f"<{identity}@{settings.domain}>"
    mail["Date"] = message.at
    mail["From"] = Address("leadchange", addr_spec=settings.sender)
    mail["To"] = [Address(addr_spec=recipient) for recipient in settings.to]
    mail["Subject"] = message.title
    mail["Auto-Submitted"] = "auto-generated"
    slug = re.sub(r"[^a-z0-9]+", "-", settings.name.lower())[:30].strip("-") or "channel"
    mail["List-Id"] = f"leadchange <{slug}.leadchange.localhost>"
    for name, value in (_threading(message, settings) | _unsubscribing(settings)).items():
        mail[name] = value
    mail.set_content(message.text, cte="quoted-printable")
    mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    html = mail.get_body(("html",))
    if message.picture and html is not None:
        html.add_related(message.picture, "image", "png", cid=f"<{CHART_CID}>", disposition="inline")
    # The library draws boundaries at random; ours follow from the message.
    for number, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"=={identity}-{number}==")
    return mail


def _threading(message: Message, settings: MailSettings) -> dict[str, str]:
    """What a mail continues: its rule's alerts on its board, and one of them when it corrects or reverts that."""
    root = f"<{uuid.uuid5(NAMESPACE, f'{message.thread}/{settings.name}').hex}@leadchange>"
    if message.reply_to is None or not _MESSAGE_ID.fullmatch(message.reply_to):
        return {"References": root}
    return {"In-Reply-To": message.reply_to, "References": f"{root} {message.reply_to}"}


def _unsubscribing(settings: MailSettings) -> dict[str, str]:
    mailto = f"<mailto:{settings.sender}?subject=unsubscribe>"
    if settings.unsubscribe_url is None:
        return {"List-Unsubscribe": mailto}
    both = f"<{settings.unsubscribe_url}>, {mailto}"
    return {"List-Unsubscribe": both, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
