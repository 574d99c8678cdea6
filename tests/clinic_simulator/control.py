"""What a test does to the simulated PIMS: moves its clock, orders faults, keeps and restores backups, looks inside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, time, timedelta
from heapq import heappop
from typing import Any

import msgspec

from pims_adapters._agent.protocol import Table
from tests.clinic_simulator import agent_face, staff
from tests.clinic_simulator.faults import CALL_FAULTS, Faults, Order
from tests.clinic_simulator.store import Advance, Refused, Settings, Store

MOST_BACKUPS = 5
TABLES: tuple[Table, ...] = Table.__args__  # type: ignore[attr-defined]


def advance(store: Store, asked: Advance) -> datetime:
    """Move the clock, stopping at whatever happens on the way: accepted writes come to stand, nights are backed up."""
    until = asked.to if asked.to is not None else store.now + timedelta(seconds=asked.seconds or 0)
    if until < store.now:
        raise Refused(422, "backwards", f"The clock stands at {store.now.isoformat()} and only goes forward.")
    while store.pending and store.pending[0].due <= until:
        _back_up_nights(store, store.pending[0].due)
        show_due(store)
    _back_up_nights(store, until)
    store.now = until
    store.catch_up()
    return store.now


def show_due(store: Store) -> None:
    """Let the accepted write that is due first come to stand."""
    due = heappop(store.pending)
    store.now = max(store.now, due.due)
    try:
        shown = agent_face.show_pending(store, due.call, due.body)
    except Refused as refused:
        shown = f"lost: {refused.code}"
    store.note("pims", "show", due.call, shown)


def _back_up_nights(store: Store, until: datetime) -> None:
    """Keep a backup at each midnight of the practice on the way, the last few of them."""
    midnight = datetime.combine(store.local_now.date() + timedelta(days=1), time(), tzinfo=store.zone)
    last = datetime.combine(until.astimezone(store.zone).date(), time(), tzinfo=store.zone)
    # Nothing changes between two midnights of one move, so the last few are enough.
    midnight = max(midnight, last - timedelta(days=MOST_BACKUPS))
    while midnight <= until:
        store.now = max(store.now, midnight.astimezone(store.now.tzinfo))
        store.back_up(midnight.date().isoformat())
        for old in sorted(name for name in store.backups if name[:2].isdigit())[:-MOST_BACKUPS]:
            del store.backups[old]
        midnight += timedelta(days=1)


def yesterday(store: Store) -> str:
    """Return the name of the last nightly backup, the first day's `start` where there was no night yet."""
    nights = sorted(name for name in store.backups if name[:2].isdigit())
    return nights[-1] if nights else "start"


def settle(store: Store, wanted: dict[str, object]) -> Settings:
    """Change settings, those that are named."""
    store.settings = msgspec.convert(msgspec.to_builtins(store.settings) | wanted, Settings)
    store.catch_up()
    store.note("control", "settings", wanted, "")
    return store.settings


def order(store: Store, faults: Faults, asked: Order) -> dict[str, object]:
    """Order a fault: for calls to come, or now."""
    if asked.fault in CALL_FAULTS:
        faults.order(asked)
        done: object = None
    else:
        done = HAPPENINGS[asked.fault](store, asked)
    store.catch_up()
    store.note("control", "fault", asked, str(done or ""))
    return {"done": done}


def _hard_delete(store: Store, asked: Order) -> str:
    return staff.delete(store, staff.Delete(table=asked.table or "appointment", id=_chosen(store, asked), silent=True))


def _undelete(store: Store, asked: Order) -> str:
    table: Table = asked.table or "appointment"
    id_ = asked.id or next((id_ for of, id_ in reversed(store.deleted) if of == table), "")
    return staff.undelete(store, staff.Undelete(table=table, id=id_))


def _client_merged(store: Store, asked: Order) -> str:
    clients = [row.id for row in store.rows("client")]
    lost = asked.id or _drawn(store, clients)
    into = asked.into or _drawn(store, [id_ for id_ in clients if id_ != lost])
    return staff.merge_clients(store, staff.MergeClients(id=lost, into=into))


def _provider_removed(store: Store, asked: Order) -> str:
    ids = [row.id for row in store.rows("staff") if getattr(row, "title", "") == store.dialect.provider]
    return staff.remove_provider(store, staff.RemoveProvider(id=asked.id or _drawn(store, ids), hard=asked.hard))


def _restore(store: Store, asked: Order) -> str:
    name = asked.backup or yesterday(store)
    store.restore(name, reuse_ids=asked.fault == "id_reuse_after_restore", noticed=asked.noticed)
    return name


def _setting(change: Callable[[Order], dict[str, object]]) -> Callable[[Store, Order], object]:
    def act(store: Store, asked: Order) -> object:
        wanted = change(asked)
        if asked.ends:
            wanted = {name: msgspec.to_builtins(Settings())[name] for name in wanted}
        store.settings = msgspec.convert(msgspec.to_builtins(store.settings) | wanted, Settings)
        return wanted

    return act


HAPPENINGS: dict[str, Callable[[Store, Order], Any]] = {
    "hard_delete": _hard_delete,
    "undelete": _undelete,
    "client_merged": _client_merged,
    "provider_removed": _provider_removed,
    "restore_from_yesterday": _restore,
    "id_reuse_after_restore": _restore,
    "clock_skew": _setting(lambda asked: {"skew": asked.seconds}),
    "truncated_fields": _setting(lambda asked: {"longest_notes": asked.length, "longest_name": asked.length}),
    "wrong_encoding": _setting(lambda _: {"encoding": "cp1252"}),
    "read_only": _setting(lambda _: {"read_only": True}),
    "wrong_zone": _setting(lambda asked: {"said_zone": asked.zone}),
}
"""The faults that happen at once. Those that are a state last until ordered with `ends`."""


def _chosen(store: Store, asked: Order) -> str:
    return asked.id or _drawn(store, list(store.records[asked.table or "appointment"]))


def _drawn(store: Store, ids: list[str]) -> str:
    if not ids:
        raise Refused(404, "no_such_record", "There is no record that could be taken.")
    return store.random("happening", len(store.trace)).choice(ids)


def state(store: Store) -> dict[str, object]:
    """Return everything: each table's rows, documents, what is accepted but not shown, and the settings."""
    return {
        "now": store.now,
        "tables": {table: store.rows(table) for table in TABLES},
        "documents": list(store.documents.values()),
        "pending": [{"due": each.due, "call": each.call, "body": msgspec.Raw(each.body)} for each in store.pending],
        "settings": store.settings,
        "backups": sorted(store.backups),
    }


def trace(store: Store, after: int) -> dict[str, object]:
    """Return what happened after a line's number, and one digest over all of it."""
    digest = hashlib.sha256(b"\n".join(store.trace)).hexdigest()
    return {"lines": [msgspec.Raw(line) for line in store.trace[after:]], "digest": digest}
