"""The practice console: plain pages for staff, complete without scripts."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from widget.console.appointment_types import change_type, show_type, show_types
from widget.console.requests import show_requests
from widget.console.schedule import places, show_schedule
from widget.console.session import NotSignedIn, at_console, same_origin_only, to_sign_in
from widget.console.sign_in import ask_practice, do_sign_in, do_sign_out, show_sign_in

router = Router(
    "/console",
    route_handlers=[
        ask_practice,
        show_sign_in,
        do_sign_in,
        do_sign_out,
        show_schedule,
        places,
        show_types,
        show_type,
        change_type,
        show_requests,
    ],
    dependencies={"who": Provide(at_console)},
    guards=[same_origin_only],
    exception_handlers={NotSignedIn: to_sign_in},
    # Elsewhere our forms send no `Origin`; here it tells them from others in browsers without Fetch Metadata.
    response_headers={"referrer-policy": "same-origin"},
)
