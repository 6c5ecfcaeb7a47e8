"""The channels to people: a webhook and e-mail."""

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Protocol

import httpx

from catalog.notifications import Group
from infra.sections import Notifications

TITLES = {
    "failure": "run failed",
    "quarantine": "dataset in quarantine",
    "alarm": "alarm",
    "backlog": "backlog",
    "low_disk": "disk almost full",
    "trigger": "trigger not heard of",
    "test": "test message",
}
SECONDS = 15.0


class NotDelivered(Exception):  # noqa: N818 - it names what happened; the message says why
    """A channel did not take a message; it is tried again."""


class Channel(Protocol):
    """A way to people."""

    name: str

    def send(self, group: Group) -> None:
        """Hand over a group of messages.

        Raises
        ------
        NotDelivered
            It was not taken, as far as we know.
        """
        ...


class Webhook:
    """Posts JSON: ``text`` for chat services, the messages themselves for programs.

    A receiver that wants each group once, whatever happens between the two of us, looks at the
    header ``Idempotency-Key``: it is the same at each try.
    """

    name = "webhook"

    def __init__(self, url: str, platform: str) -> None:
        self._url, self._platform = url, platform

    def send(self, group: Group) -> None:
        """Post a group; any answer but success is a failure."""
        body = {
            "id": str(group.id),
            "kind": group.kind,
            "count": group.count,
            "title": title(group),
            "text": text(group, self._platform),
            "platform": self._platform,
            "messages": [
                {"at": line.at.isoformat(), "beamline": line.beamline, "message": line.message}
                for line in group.lines
            ],
        }
        headers = {"Idempotency-Key": str(group.id), "User-Agent": "dayseye"}
        try:
            answer = httpx.post(self._url, json=body, headers=headers, timeout=SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDelivered(f"the webhook does not answer: {error!r}") from None
        if not answer.is_success:
            raise NotDelivered(f"the webhook answers {answer.status_code} {answer.text[:200]!r}")


class Email:
    """Sends one mail to all; its Message-ID is the same at each try."""

    name = "email"

    def __init__(self, settings: Notifications, platform: str) -> None:
        self._settings, self._platform = settings, platform

    def send(self, group: Group) -> None:
        """Hand the mail to the mail server."""
        mail = EmailMessage()
        mail["Subject"] = f"[Dayseye] {title(group)}"
        mail["From"] = self._settings.email_from
        mail["To"] = ", ".join(self._settings.email_to)
        mail["Date"] = group.lines[-1].at
        mail["Message-ID"] = f"<{group.id}@dayseye>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text(group, self._platform))
        try:
            self._hand_over(mail)
        except (OSError, smtplib.SMTPException) as error:
            where = f"{self._settings.smtp_host}:{self._settings.smtp_port}"
            raise NotDelivered(f"the mail server {where} did not take it: {error!r}") from None

    def _hand_over(self, mail: EmailMessage) -> None:
        settings = self._settings
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=SECONDS) as server:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user and settings.smtp_password:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            refused = server.send_message(mail)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)


def channels(settings: Notifications, platform: str) -> list[Channel]:
    """Return the ways to people that are set; ``platform`` is the address in the messages."""
    ways: list[tuple[object, Callable[[], Channel]]] = [
        (settings.webhook, lambda: Webhook(str(settings.webhook), platform)),
        (settings.email_to, lambda: Email(settings, platform)),
    ]
    return [make() for is_set, make in ways if is_set]


def title(group: Group) -> str:
    """Return what a group is about, in a few words."""
    what = TITLES.get(group.kind, group.kind)
    return what if group.count == 1 else f"{what} ({group.count})"


def text(group: Group, platform: str) -> str:
    """Return the messages as text."""
    lines = [
        f"{line.at:%Y-%m-%d %H:%M:%S} UTC  {line.beamline or '-'}  {line.message}"
        for line in group.lines
    ]
    if group.count > len(lines):
        lines.append(f"... and {group.count - len(lines)} more.")
    return "\n".join([title(group), "", *lines, "", platform, ""])
