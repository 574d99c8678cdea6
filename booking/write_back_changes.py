"""Write-back of changes: an appointment that stands in the PIMS is moved, cancelled or confirmed there.

The record is read before anything is sent, since what was sent may have arrived unheard and staff may have been there
first, and read back after. What the PIMS does not let us do becomes a task for staff, in words that can be followed.
"""

from __future__ import annotations

from msgspec import Struct

from booking.db.write_backs import AppointmentToWrite, WriteBack
from booking.local_days import spoken_time
from pims_adapters import contract as pims

OVER = ("arrived", "fulfilled", "no_show")
OPEN = ("booked", "confirmed")


class Written(Struct, frozen=True, kw_only=True):
    """It stands in the PIMS and was read back (`shown`; None: the PIMS no longer has what was to be cancelled)."""

    pims_id: str | None
    shown: pims.Client | pims.Patient | pims.Appointment | None


class Postponed(Struct, frozen=True, kw_only=True):
    """Not now. `unknown`: it may have been written, and must be looked for first."""

    reason: str
    unknown: bool


class Stuck(Struct, frozen=True, kw_only=True):
    """Sending the same again would not help: a person has to look."""

    reason: str


class Superseded(Struct, frozen=True, kw_only=True):
    """What was to be written no longer is."""

    reason: str


Outcome = Written | Postponed | Stuck | Superseded


async def change(adapter: pims.PimsAdapter, leased: WriteBack, wanted: AppointmentToWrite | None) -> Outcome:
    """Bring one change into the PIMS, as the appointment stands with us now. Raises the adapter's errors."""
    if wanted is None or wanted.pims_id is None:
        return Superseded(reason="The appointment never came into the PIMS.")
    if leased.action != "cancel" and wanted.status not in OPEN:
        return Superseded(reason=f"The appointment is {wanted.status}: there is nothing left to {leased.action}.")
    shown = await _read(adapter, wanted.pims_id)
    if _done(leased, wanted, shown):
        return Written(pims_id=None, shown=shown)
    hindrance = _hindrance(leased, wanted, shown)
    if hindrance is not None:
        return hindrance
    try:
        able = await _send(adapter, leased, wanted, wanted.pims_id)
    except pims.PimsRejected as refusal:
        return Stuck(reason=f"{str(refusal).rstrip('.')}. {_by_hand(leased, wanted, shown)}")
    if not able:
        return Stuck(reason=f"This connection cannot do it for you. {_by_hand(leased, wanted, shown)}")
    try:
        shown = await _read(adapter, wanted.pims_id)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=f"Sent, but not read back yet. {failure}", unknown=True)
    if not _done(leased, wanted, shown):
        return Stuck(reason=f"The PIMS accepted it and does not show it. {_by_hand(leased, wanted, shown)}")
    return Written(pims_id=None, shown=shown)


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
    return None


async def _send(adapter: pims.PimsAdapter, leased: WriteBack, wanted: AppointmentToWrite, pims_id: str) -> bool:
    """Ask the PIMS; False where it has no such ability, or we lack what it needs."""
    match leased.action:
        case "change" if isinstance(adapter, pims.ChangesAppointments):
            if wanted.client is None or wanted.patient is None or wanted.appointment_type is None:
                return False
            draft = appointment_draft(wanted, wanted.client, wanted.patient, wanted.appointment_type)
            await adapter.change_appointment(pims_id, draft, leased.key)
        case "cancel" if isinstance(adapter, pims.CancelsAppointments):
            await adapter.cancel_appointment(pims_id, leased.key)
        case "confirm" if isinstance(adapter, pims.ConfirmsAppointments):
            await adapter.confirm_appointment(pims_id, leased.key)
        case _:
            return False
    return True


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
    same_time = (shown.start, shown.end) == (wanted.starts_at, wanted.ends_at)
    return same_time and set(wanted.resources) <= set(shown.resources)


def _by_hand(leased: WriteBack, wanted: AppointmentToWrite, shown: pims.Appointment | None) -> str:
    """Say what staff do in the PIMS instead, where they find the appointment as it is `shown`; it names no client."""
    start = wanted.starts_at if shown is None or leased.action == "change" else shown.start
    when = spoken_time(start, wanted.timezone)
    match leased.action:
        case "cancel":
            what = f"cancel appointment {wanted.reference} ({when})"
        case "confirm":
            what = f"mark appointment {wanted.reference} ({when}) as confirmed"
        case _:
            minutes = (wanted.ends_at - wanted.starts_at).total_seconds() // 60
            with_whom = ", ".join(wanted.columns)
            what = f"move appointment {wanted.reference} to {when}, {minutes:.0f} minutes, {with_whom}"
    return f"In the PIMS, please {what}, then mark this as done."


def appointment_draft(
    wanted: AppointmentToWrite, client: str, patient: str, appointment_type: str
) -> pims.AppointmentDraft:
    """Return an appointment as the PIMS is to have it."""
    return pims.AppointmentDraft(
        client=client,
        patient=patient,
        appointment_type=appointment_type,
        start=wanted.starts_at,
        end=wanted.ends_at,
        resources=tuple(wanted.resources),
        description=wanted.description,
    )
