"""Slots: the times that can be booked, as JSON."""

from __future__ import annotations

from litestar import Router

router = Router("/", route_handlers=[])
