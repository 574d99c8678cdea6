"""Messages: an email with its invitation reaches the mail server; what cannot be sent says why and is tried again."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from uuid import uuid4

import msgspec
import pytest

from booking.db import messages
from booking.db.messages import Message
from booking.db.pool import across_practices
from booking.messages import NoChannel, SmtpChannel, Undeliverable, Undelivered
from booking.worker import MESSAGE_LEASE, send
from tests.booking.conftest import NOW, Riverside
from tests.booking.mail_server import running_mail_server

SENDER = "Riverside <front@riverside.example>"
CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def email_to(riverside: Riverside) -> Message:
    return Message(
        practice_id=riverside.practice.practice_id,
        message_id=uuid4(),
        channel="email",
        purpose="booked",
        recipient="olivia.carter@example.com",
        subject="Biscuit is booked",
        body="Biscuit is booked. See you soon.",
        attachment=CALENDAR,
    )


async def test_an_email_arrives_with_its_words_and_its_invitation(riverside: Riverside) -> None:
    async with running_mail_server() as server:
        await SmtpChannel(server.url, SENDER).send(email_to(riverside))
    (raw,) = server.received
    email = message_from_string(raw, _class=EmailMessage, policy=default)
    assert (email["From"], email["To"]) == (SENDER, "olivia.carter@example.com")
    assert email["Subject"] == "Biscuit is booked"
    words = email.get_body(("plain",))
    assert words is not None
    assert "See you soon." in words.get_content()
    (invitation,) = email.iter_attachments()
    assert invitation.get_content_type() == "text/calendar"
    assert invitation.get_param("method") == "REQUEST"


async def test_a_refused_recipient_is_not_tried_again(riverside: Riverside) -> None:
    async with running_mail_server() as server:
        server.refuses = "550 no such mailbox"
        with pytest.raises(Undeliverable, match="refuses the recipient"):
            await SmtpChannel(server.url, SENDER).send(email_to(riverside))


async def test_a_mail_server_that_is_down_may_be_up_again_later(riverside: Riverside) -> None:
    async with running_mail_server() as server:
        gone = server.url
    with pytest.raises(Undelivered):
        await SmtpChannel(gone, SENDER).send(email_to(riverside))


async def test_a_text_without_a_provider_says_what_is_missing(riverside: Riverside) -> None:
    text = msgspec.structs.replace(email_to(riverside), channel="text", recipient="+12125550101")
    for channel in (SmtpChannel("smtp://127.0.0.1:1", SENDER), NoChannel()):
        with pytest.raises(Undeliverable, match=r"provider|SMTP_URL"):
            await channel.send(text)


async def test_a_message_that_was_not_sent_is_kept_and_tried_again_and_forgotten_when_sent(
    riverside: Riverside,
) -> None:
    async with running_mail_server() as server:
        gone = server.url
    async with across_practices(riverside.pool) as conn:
        await messages.queue_message(conn, email_to(riverside), NOW)
        leased = await messages.lease_message(conn, now=NOW, until=NOW + MESSAGE_LEASE)
        assert leased is not None
        assert await messages.lease_message(conn, now=NOW, until=NOW + MESSAGE_LEASE) is None
        await send(riverside.pool, SmtpChannel(gone, SENDER), leased)
        kept = await conn.fetchrow("SELECT state, body FROM message")
        assert kept is not None
        assert tuple(kept) == ("queued", leased.body)

        later = NOW + timedelta(days=3650)
        again = await messages.lease_message(conn, now=later, until=later + MESSAGE_LEASE)
        assert again is not None
        async with running_mail_server() as server:
            await send(riverside.pool, SmtpChannel(server.url, SENDER), again)
        assert len(server.received) == 1
        sent = await conn.fetchrow("SELECT state, recipient, subject, body, attachment FROM message")
    assert sent is not None
    assert tuple(sent) == ("sent", None, None, None, None)
