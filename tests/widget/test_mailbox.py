"""The demo's mailbox: what would be sent, and nothing at all where it is off."""

from __future__ import annotations

from uuid import uuid4

import pytest
from redis.asyncio import Redis

from booking.db.messages import Message
from booking.messages import MailboxChannel
from tests.widget.oak_lane import browser_of, settings_of


def message(body: str, attachment: str | None = None) -> Message:
    return Message(
        practice_id=uuid4(),
        message_id=uuid4(),
        channel="text" if attachment is None else "email",
        purpose="code",
        recipient="+12125550101" if attachment is None else "noor@example.org",
        subject="Your code",
        body=body,
        attachment=attachment,
    )


async def test_messages_are_shown_newest_first_on_the_page_and_as_json(
    database_url: str, redis_url: str, redis: Redis
) -> None:
    channel = MailboxChannel(redis)
    await channel.send(message("123456 is your code. <script>"))
    await channel.send(message("Zuzu is booked: http://localhost/visit/1.", attachment="BEGIN:VCALENDAR"))
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        page = (await browser.get("/dev/mailbox")).text
        answer = await browser.get("/dev/mailbox.json")
    assert page.index("Zuzu") < page.index("123456")
    assert "Demo only" in page
    assert "&lt;script&gt;" in page
    assert '<a href="http://localhost/visit/1"' in page
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == [
        {
            "channel": "email",
            "purpose": "code",
            "to": "noor@example.org",
            "subject": "Your code",
            "body": "Zuzu is booked: http://localhost/visit/1.",
            "attachmentName": "visit.ics",
        },
        {
            "channel": "text",
            "purpose": "code",
            "to": "+12125550101",
            "subject": "Your code",
            "body": "123456 is your code. <script>",
            "attachmentName": None,
        },
    ]


@pytest.mark.parametrize("path", ["/dev/mailbox", "/dev/mailbox.json"])
async def test_there_is_no_mailbox_unless_it_is_switched_on(database_url: str, redis_url: str, path: str) -> None:
    async with browser_of(settings_of(database_url, redis_url, dev_mailbox=False)) as browser:
        assert (await browser.get(path)).status_code == 404
