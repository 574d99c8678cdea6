"""The open appointment requests: asked for, not agreed; somebody at the practice calls back."""

from __future__ import annotations

from litestar import Response, get

from booking.db.appointment_types import appointment_types
from booking.db.pool import of_practice
from booking.db.requests import open_requests
from widget.console.session import Who
from widget.pages import page
from widget.state import ThePool


@get("/requests")
async def show_requests(who: Who, pool: ThePool) -> Response[str]:
    """List what clients have asked for, newest first."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, who.practice.practice_id) as conn:
        asked = await open_requests(conn, practice_id)
        names = {one.appointment_type_id: one.name for one in await appointment_types(conn, practice_id)}
    return page("console/requests.html", who=who, practice=who.practice, here="requests", asked=asked, names=names)
