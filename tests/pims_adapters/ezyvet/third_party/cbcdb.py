"""Stands in for the package of this name, through which `ezyvetapi` keeps its credentials in a data warehouse.

The one table that it reads lives in memory here. What it sends to ezyVet, and how it reads the answers, is all its own.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any


class DBManager:
    """The calls that `ezyvetapi` makes of it."""

    db_schema = "data"
    _kept: dict[str, Any] = {}  # noqa: RUF012 - one table for all that ask

    def __init__(self, *, use_aws_secrets: bool = False) -> None:
        del use_aws_secrets

    def get_sql_list_dicts(self, _sql: str, params: list[Any]) -> list[dict[str, Any]]:
        """Return the row of a location."""
        row = {
            "location_id": params[0],
            "partner_id": os.environ["PARTNER_ID"],
            "client_id": os.environ["CLIENT_ID"],
            "client_secret": os.environ["CLIENT_SECRET"],
            "access_token": None,
            "access_token_create_time": None,
            "system_time": datetime.now(UTC).replace(tzinfo=None),
        }
        return [row | self._kept]

    def execute_simple(self, _sql: str, params: list[Any]) -> None:
        """Keep a token."""
        self._kept.update(access_token=params[0], access_token_create_time=params[1])
