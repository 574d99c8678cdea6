"""Write-back of changes: an appointment that stands in the PIMS is moved, cancelled, confirmed or noted there.

The record is read before anything is sent, since what was sent may have arrived unheard and staff may have been there
first, and read back after. What the PIMS does not let us do becomes a task for staff, in words that can be followed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from booking.db import linking, write_backs
from booking.db.pool import Pool, of_practice
from booking.db.write_backs import AppointmentToWrite, WriteBack
from booking.local_days import spoken_time
from booking.write_back_creations import NOTHING, appointment_draft, type_for
from booking.write_back_fit import fitted
from booking.write_back_outcomes import (
    Collided,
    LeaseLost,
    Outcome,
    Postponed,
    Stuck,
    Superseded,
    Written,
    still_to_be_shown,
)
from pims_adapters import contract as pims

OVER = ("arrived", "fulfilled", "no_show")
OPEN = ("booked", "confirmed")
NEEDS = {
    "change": pims.ChangesAppointments,
    "cancel": pims.CancelsAppointments,
    "confirm": pims.ConfirmsAppointments,
    "status": pims.NotesArrivals,
}
SPOKEN = {"arrived": "arrived", "fulfilled": "seen", "no_show": "not come"}


async def change(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack, clock: Callable[[], datetime]) -> Outcome:
    """Bring one change into the PIMS, as the appointment stands with us now.

    Raises the adapter's errors where nothing of this try has left.
    """
    async with of_practice(pool, leased.practice_id) as conn:
        wanted = await write_backs.appointment_to_write(conn, leased.practice_id, leased.appointment_id)
        overbooked = leased.action == "change" and await linking.overbooked(
            conn, leased.practice_id, leased.appointment_id
        )
    if wanted is None or wanted.pims_id is None:
        return Superseded(reason="The appointment never came into the PIMS.")
    if not isinstance(adapter, pims.CreatesAppointments):
        return Superseded(reason=NOTHING)
    if _pointless(leased, wanted):
        return Superseded(reason=f"The appointment is {wanted.status}: there is nothing left to {leased.action}.")
    shown = await _read(adapter, wanted.pims_id)
    if _done(leased, wanted, shown):
        return Written(pims_id=None, shown=shown)
    waiting = still_to_be_shown(leased, adapter.write_lag, clock())
    if waiting is not None:
        return waiting
    hindrance = _hindrance(leased, wanted, shown)
    if hindrance is not None:
        return hindrance
    if leased.accepted:
        return Stuck(reason=f"The PIMS accepted it and does not show it. {_by_hand(leased, wanted, shown)}")
    if not _able(adapter, leased, wanted):
        return Stuck(reason=f"This connection cannot do it for you. {_by_hand(leased, wanted, shown)}")
    if overbooked:
        return Collided(reason="The practice has given the time to somebody else.")
    return await _change(pool, adapter, leased, wanted, shown, wanted.pims_id, clock)


async def _change(
    pool: Pool,
    adapter: pims.PimsAdapter,
    leased: WriteBack,
    wanted: AppointmentToWrite,
    shown: pims.Appointment | None,
    pims_id: str,
    clock: Callable[[], datetime],
) -> Outcome:
    async with of_practice(pool, leased.practice_id) as conn:
        if not await write_backs.note_sent(conn, leased, clock()):
            return LeaseLost()
    try:
        await _send(adapter, leased, wanted, pims_id)
    except pims.PimsRejected as refusal:
        if refusal.taken and leased.action == "change":
            return Collided(reason=str(refusal))
        return Stuck(reason=f"{str(refusal).rstrip('.')}. {_by_hand(leased, wanted, shown)}")
    except pims.PimsUnavailable as failure:
        return Postponed(reason=str(failure), known=not failure.outcome_unknown)
    except pims.PimsMisconfigured as failure:
        return Postponed(reason=str(failure), known=True)
    try:
        shown = await _read(adapter, pims_id)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=f"Sent, but not read back yet. {failure}")
    if _done(leased, wanted, shown):
        return Written(pims_id=None, shown=shown)
    if isinstance(adapter, pims.CreatesAppointments) and adapter.write_lag:
        return Postponed(reason="The PIMS has accepted it and shows it later.", accepted=True, expected=True)
    return Stuck(reason=f"The PIMS accepted it and does not show it. {_by_hand(leased, wanted, shown)}")


def _pointless(leased: WriteBack, wanted: AppointmentToWrite) -> bool:
    if leased.action == "status":
        return wanted.status not in OVER
    return leased.action != "cancel" and wanted.status not in OPEN


def _able(adapter: pims.PimsAdapter, leased: WriteBack, wanted: AppointmentToWrite) -> bool:
    """Say whether the PIMS has the ability, and we have what it needs."""
    if not isinstance(adapter, NEEDS[leased.action]):
        return False
    if leased.action != "change":
        return True
    kept = not isinstance(adapter, pims.CreatesClients) or (wanted.client is not None and wanted.patient is not None)
    return kept and type_for(adapter, wanted) is not None


def _hindrance(
    leased: WriteBack, wanted: AppointmentToWrite, shown: pims.Appointment | None
) -> Stuck | Superseded | None:
    """Say why what the PIMS shows cannot be changed as we want it."""
    if shown is None:
        return Stuck(reason=f"The PIMS no longer has the appointment. {_by_hand(leased, wanted, shown)}")
    if leased.action == "cancel" and wanted.status != "cancelled":
        return Superseded(reason="The appointment stands again: the practice took it up in the PIMS.")
    if leased.action == "cancel" and shown.status in OVER:
        return Stuck(reason=f"In the PIMS the visit is {shown.status}; with us the client cancelled it. Please look.")
    if leased.action == "status" and shown.status == "cancelled":
        return Stuck(reason=f"In the PIMS the visit is cancelled; with us the client has {SPOKEN[wanted.status]}.")
    return None


async def _send(adapter: pims.PimsAdapter, leased: WriteBack, wanted: AppointmentToWrite, pims_id: str) -> None:
    match leased.action:
        case "change" if isinstance(adapter, pims.ChangesAppointments):
            keeps_clients = isinstance(adapter, pims.CreatesClients)
            draft = appointment_draft(wanted, type_for(adapter, wanted) or "", keeps_clients=keeps_clients)
            fit, _ = fitted(draft, adapter.asks if isinstance(adapter, pims.CreatesAppointments) else ())
            await adapter.change_appointment(pims_id, fit, leased.key)
        case "cancel" if isinstance(adapter, pims.CancelsAppointments):
            await adapter.cancel_appointment(pims_id, leased.key)
        case "confirm" if isinstance(adapter, pims.ConfirmsAppointments):
            await adapter.confirm_appointment(pims_id, leased.key)
        case "status" if isinstance(adapter, pims.NotesArrivals):
            if wanted.status == "arrived" or wanted.status == "fulfilled" or wanted.status == "no_show":  # noqa: PLR1714 - so that the type is known
                await adapter.note_arrival(pims_id, wanted.status, leased.key)


async def _read(adapter: pims.PimsAdapter, pims_id: str) -> pims.Appointment | None:
    if not isinstance(adapter, pims.CreatesAppointments):
        return None
    shown = await adapter.read("appointment", pims_id)
    return shown if isinstance(shown, pims.Appointment) else None


def _done(leased: WriteBack, wanted: AppointmentToWrite, shown: pims.Appointment | None) -> bool:
    """Say whether the PIMS shows the appointment as this change is to leave it."""
    if leased.action == "cancel":
        return shown is None or shown.status == "cancelled"
    if shown is None or shown.status == "cancelled":
        return False
    if leased.action == "confirm":
        return shown.status != "booked"
    if leased.action == "status":
        return shown.status == wanted.status or (wanted.status == "arrived" and shown.status == "fulfilled")
    same_time = (shown.start, shown.end) == (wanted.starts_at, wanted.ends_at)
    return same_time and set(wanted.resources) <= set(shown.resources)


def _by_hand(leased: WriteBack, wanted: AppointmentToWrite, shown: pims.Appointment | None) -> str:
    """Say what staff do in the PIMS instead, where they find the appointment as it is `shown`; it names no client."""
    start = wanted.starts_at if shown is None or leased.action == "change" else shown.start
    when, with_whom = spoken_time(start, wanted.timezone), ", ".join(wanted.columns)
    which = f"appointment {wanted.reference}" if wanted.reference else f"the appointment with {with_whom}"
    match leased.action:
        case "cancel":
            what = f"cancel {which} ({when})"
        case "confirm":
            what = f"mark {which} ({when}) as confirmed"
        case "status":
            what = f"mark {which} ({when}) as {SPOKEN.get(wanted.status, wanted.status)}"
        case _:
            minutes = (wanted.ends_at - wanted.starts_at).total_seconds() // 60
            what = f"move {which} to {when}, {minutes:.0f} minutes, {with_whom}"
    return f"In the PIMS, please {what}, then mark this as done."
