"""The demo's mailbox: every text and email that would be sent. Shown to everyone, so never registered in production."""

from __future__ import annotations

from typing import Literal

from litestar import Response, Router, get
from msgspec import Struct

from booking.messages import mailbox
from widget.pages import page
from widget.state import TheRedis

REFRESH_SECONDS = 5
CALENDAR_FILE = "visit.ics"


class MailboxMessage(Struct, frozen=True, kw_only=True, rename="camel"):
    """One text or email as its recipient would get it."""

    channel: Literal["text", "email"]
    purpose: str
    to: str
    subject: str
    body: str
    attachment_name: str | None


async def kept_messages(redis: TheRedis) -> list[MailboxMessage]:
    """Return what the demo has kept, newest first."""
    return [
        MailboxMessage(
            channel=one.channel,
            purpose=one.purpose,
            to=one.recipient,
            subject=one.subject,
            body=one.body,
            attachment_name=None if one.attachment is None else CALENDAR_FILE,
        )
        for one in await mailbox(redis)
    ]


@get("/mailbox")
async def show_mailbox(redis: TheRedis) -> Response[str]:
    """Show the messages on a page that keeps itself up to date."""
    return page("dev/mailbox.html", messages=await kept_messages(redis), refresh=REFRESH_SECONDS)


@get("/mailbox.json")
async def mailbox_json(redis: TheRedis) -> list[MailboxMessage]:
    """Answer with the messages, for tests and scripts."""
    return await kept_messages(redis)


router = Router("/dev", route_handlers=[show_mailbox, mailbox_json])
