"""The booking pages: one module per step a client takes, each complete without scripts."""

from __future__ import annotations

from litestar import Router

from booking.offers import NotBookableOnline
from widget.book import choose
from widget.book.shell import (
    PROVIDED,
    PROVIDED_IN_FLOW,
    FlowEnded,
    GoElsewhere,
    flow_ended,
    go_elsewhere,
    not_bookable_online,
)

router = Router(
    "/",
    route_handlers=[choose.choose, choose.choose_type, choose.change_type_page, choose.change_type],
    dependencies={**PROVIDED, **PROVIDED_IN_FLOW},
    exception_handlers={
        FlowEnded: flow_ended,
        GoElsewhere: go_elsewhere,
        NotBookableOnline: not_bookable_online,
    },
)
