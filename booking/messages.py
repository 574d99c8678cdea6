"""Messages: what clients are told by text or email, in which words, and the channels that carry it.

They are queued in the transaction of what they speak of and sent by the worker.
"""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import aiosmtplib
import msgspec
from redis.asyncio import Redis

from booking.contacts import Contact
from booking.db.appointments import Appointment
from booking.db.messages import Message
from booking.db.practices import Practice
from booking.local_days import spoken_time

SEND_TIMEOUT = timedelta(seconds=10)
MAILBOX = "vetslot:mailbox"
MAILBOX_KEEPS = 200


class Undeliverable(Exception):
    """The message cannot be sent, now or later: the reason is for staff to read."""


class Undelivered(Exception):
    """The message could not be sent now; it may be tried again."""


class Channel(Protocol):
    """A way to send messages."""

    async def send(self, message: Message) -> None:
        """Send one message. Raises `Undelivered` or `Undeliverable`."""


def code_message(practice: Practice, contact: Contact, code: str, *, message_id: UUID) -> Message:
    """Write the message with a code: the same words whether or not the contact is a client's."""
    return Message(
        practice_id=practice.practice_id,
        message_id=message_id,
        channel="text" if contact.kind == "phone" else "email",
        purpose="code",
        recipient=contact.value,
        subject=f"Your code for {practice.name}",
        body=(
            f"{code} is your code to book with {practice.name}. It works for 10 minutes."
            " If you did not ask for it, you can ignore this message."
        ),
    )


def booked_message(
    practice: Practice,
    contact: Contact,
    appointment: Appointment,
    *,
    patient_names: list[str],
    type_name: str,
    manage_url: str,
    calendar: str,
    message_id: UUID,
) -> Message:
    """Write the message that says that an appointment is booked, for one patient or several."""
    when = spoken_time(appointment.starts_at, practice.timezone)
    booked = f"{named(patient_names)} {'is' if len(patient_names) == 1 else 'are'} booked"
    return Message(
        practice_id=practice.practice_id,
        message_id=message_id,
        channel="text" if contact.kind == "phone" else "email",
        purpose="booked",
        recipient=contact.value,
        subject=f"{booked}: {when}",
        body=(
            f"{booked} with {practice.name} for {type_name} on {when}."
            f" Reference {appointment.reference}. To change it: {manage_url}"
        ),
        attachment=calendar if contact.kind == "email" else None,
    )


def rescheduled_message(
    practice: Practice, contact: Contact, appointment: Appointment, names: list[str], link: str, calendar: str
) -> Message:
    """Write the message that says that a visit takes place at another time."""
    when = spoken_time(appointment.starts_at, practice.timezone)
    body = (
        f"{named(names)}’s visit with {practice.name} has a new time: {when}."
        f" Reference {appointment.reference}. To change it: {link} Questions? Call {practice.phone}."
    )
    return _change_message(practice, contact, "rescheduled", f"New time for {named(names)}: {when}", body, calendar)


def cancelled_message(
    practice: Practice, contact: Contact, appointment: Appointment, names: list[str], book_again: str, calendar: str
) -> Message:
    """Write the message that says that a visit is cancelled."""
    when = spoken_time(appointment.starts_at, practice.timezone)
    body = (
        f"{named(names)}’s visit with {practice.name} on {when} is cancelled. Reference {appointment.reference}."
        f" To find another time: {book_again} or call {practice.phone}."
    )
    return _change_message(practice, contact, "cancelled", f"Cancelled: {named(names)}, {when}", body, calendar)


def served_by_message(
    practice: Practice, contact: Contact, appointment: Appointment, names: list[str], served_by: str, link: str
) -> Message:
    """Write the message that says that somebody else than who was asked for serves a visit, at the same time."""
    when = spoken_time(appointment.starts_at, practice.timezone)
    body = (
        f"{named(names)}’s visit with {practice.name} on {when} stays at its time, and is now with {served_by}."
        f" Reference {appointment.reference}. To choose another time: {link} Questions? Call {practice.phone}."
    )
    return _change_message(practice, contact, "served_by", f"{named(names)}’s visit: now with {served_by}", body, None)


def no_longer_free_message(
    practice: Practice, contact: Contact, appointment: Appointment, name: str, times: list[str], link: str
) -> Message:
    """Write the message that says that a visit's time was given to somebody else, with other times, if there are."""
    when = spoken_time(appointment.starts_at, practice.timezone)
    others = f" Free at the moment: {'; '.join(times)}." if times else ""
    body = (
        f"We are sorry: {practice.name} has given {name}’s time on {when} to somebody else before we could enter it."
        f"{others} To choose another time: {link} Or call {practice.phone}. Reference {appointment.reference}."
    )
    return _change_message(practice, contact, "no_longer_free", f"{name}’s visit needs another time", body, None)


def reply_message(practice: Practice, contact: Contact, title: str, words: str) -> Message:
    """Write the message that brings a client what the practice says in a conversation."""
    return _change_message(practice, contact, "reply", f"{practice.name}: {title}", f"{practice.name}: {words}", None)


def declined_message(practice: Practice, contact: Contact, patient_name: str, words: str) -> Message:
    """Write the message that says why the practice cannot give an appointment that was asked for."""
    subject = f"Your request to {practice.name} for {patient_name}"
    body = f"{practice.name} about {patient_name}: {words} Questions? Call {practice.phone}."
    return _change_message(practice, contact, "declined", subject, body, None)


def _change_message(
    practice: Practice, contact: Contact, purpose: str, subject: str, body: str, calendar: str | None
) -> Message:
    return Message(
        practice_id=practice.practice_id,
        message_id=uuid4(),
        channel="text" if contact.kind == "phone" else "email",
        purpose=purpose,
        recipient=contact.value,
        subject=subject,
        body=body,
        attachment=calendar if contact.kind == "email" else None,
    )


def named(patient_names: list[str]) -> str:
    """Return names as people say them: `Biscuit, Mochi and Zuzu`."""
    *others, last = patient_names
    return f"{', '.join(others)} and {last}" if others else last


class MailboxChannel:
    """The demo's channel: what would be sent is kept for `/dev/mailbox`, newest first."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def send(self, message: Message) -> None:
        """Put the message into the mailbox."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.lpush(MAILBOX, msgspec.json.encode(message))
        pipeline.ltrim(MAILBOX, 0, MAILBOX_KEEPS - 1)
        await pipeline.execute()


async def mailbox(redis: Redis) -> list[Message]:
    """Return what the demo's channel has kept, newest first."""
    kept = await redis.lrange(MAILBOX, 0, MAILBOX_KEEPS - 1)
    return [msgspec.json.decode(one, type=Message) for one in kept]


class SmtpChannel:
    """Email by SMTP (`smtp://user:password@host:587`, `smtps://…` for TLS from the first byte). Sends no texts."""

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender

    async def send(self, message: Message) -> None:
        """Hand the message to the mail server."""
        if message.channel == "text":
            raise Undeliverable("Texts need a provider, and none is set up; only email is.")
        email = EmailMessage()
        email["From"], email["To"], email["Subject"] = self._sender, message.recipient, message.subject
        email.set_content(message.body)
        if message.attachment is not None:
            email.add_attachment(
                message.attachment.encode(), maintype="text", subtype="calendar", filename="visit.ics",
                params={"method": _method(message.attachment), "charset": "utf-8"},
            )  # fmt: skip
        try:
            await aiosmtplib.send(
                email,
                hostname=self._url.hostname,
                port=self._url.port,
                username=unquote(self._url.username) if self._url.username else None,
                password=unquote(self._url.password) if self._url.password else None,
                use_tls=self._url.scheme == "smtps",
                timeout=SEND_TIMEOUT.total_seconds(),
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise Undeliverable("The mail server refuses the recipient's address.") from refused
        except (aiosmtplib.SMTPException, OSError) as failure:
            raise Undelivered(f"The mail server could not take it: {type(failure).__name__}.") from failure


def _method(calendar: str) -> str:
    """Return the method of a calendar file, which a mail program looks for beside it too (RFC 6047)."""
    return next(line.partition(":")[2] for line in calendar.splitlines() if line.startswith("METHOD:"))


class NoChannel:
    """Where neither a mailbox nor a mail server is set up."""

    async def send(self, message: Message) -> None:
        """Say what is missing."""
        raise Undeliverable(f"No way to send {message.channel} messages is set up: set SMTP_URL.")
