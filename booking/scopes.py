"""Scopes: what a member of staff, or a program with an API key, may do."""

from __future__ import annotations

from typing import Final, Literal, get_args

from booking.db.staff import Role

Scope = Literal[
    "schedule:read",
    "schedule:write",
    "clients:read",
    "conversations:read",
    "conversations:write",
    "configuration:read",
    "configuration:write",
    "connection:write",
    "webhooks:write",
    "keys:write",
]

EVERYTHING: Final[frozenset[Scope]] = frozenset(get_args(Scope))

OF_ROLE: Final[dict[Role, frozenset[Scope]]] = {
    "owner": EVERYTHING,
    "manager": EVERYTHING - {"keys:write"},
    "front_desk": frozenset(
        {"schedule:read", "schedule:write", "clients:read", "conversations:read", "conversations:write"}
    ),
    "read_only": frozenset({"schedule:read", "clients:read", "conversations:read", "configuration:read"}),
}
