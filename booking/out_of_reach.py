"""What it looks like when a store is out of reach: tell the caller to come again, nothing is wrong with the request."""

from __future__ import annotations

import asyncpg
import redis.exceptions

OUT_OF_REACH = (
    OSError,  # connections refused, reset, timed out
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that ended between two steps of a statement
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.TooManyConnectionsError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
)
