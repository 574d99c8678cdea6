"""Sync: bring what the practice does in its PIMS into our mirror, and notice what vanished there without a word.

Read `pages` first: a page of changes is one transaction. `apply` says in which order its records are written, and
`docs/sync.md` which field is whose.
"""

from booking.sync.pages import Synced, sync, sync_feed

__all__ = ["Synced", "sync", "sync_feed"]
