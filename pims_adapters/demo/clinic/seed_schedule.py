"""Five weeks of appointments for the seeded practice: dense around the start date, thinning out after it.

Every doctor's and technician's open time is walked from left to right; each step either places a visit, with the room
(and machine) it takes, or leaves a gap. Then staff squeeze in a few patients on top, as staff do.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from random import Random
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from pims_adapters.demo.clinic.records import FREE_STATES, Appointment, Block, Client, Column, Holiday, Patient, State
from pims_adapters.demo.clinic.schedule import Span, happenings, opened, to_instant, without
from pims_adapters.demo.clinic.seed_practice import (
    DENTAL_SUITE,
    DOCTORS,
    EXOTICS_DOCTOR,
    ROOMS,
    SURGEON,
    TECHNICIANS,
    TYPES,
    ULTRASOUND,
    ZONE,
)
from pims_adapters.demo.clinic.seed_words import WORDS

MINUTES = {type_.id: type_.minutes for type_ in TYPES}
SQUEEZED_IN = 14
WEEK_BEFORE = timedelta(weeks=1)
WEEKS_AFTER = timedelta(weeks=4)

# What each column's day is made of, by weight.
GENERAL = {
    "type-wellness": 28,
    "type-sick": 24,
    "type-vaccines": 12,
    "type-puppy-kitten": 8,
    "type-new-client": 7,
    "type-recheck": 14,
    "type-telehealth": 4,
    "type-euthanasia": 2,
}
TECHNICAL = {"type-nail-trim": 50, "type-tech-visit": 50}
MIX = {
    **dict.fromkeys(DOCTORS, GENERAL),
    **dict.fromkeys(TECHNICIANS, TECHNICAL),
    "prov-lee": {**GENERAL, "type-ultrasound": 4, "type-dental": 4},
    "prov-bennett": {**GENERAL, "type-ultrasound": 6, "type-dental": 4},
    EXOTICS_DOCTOR: {"type-exotics": 55, "type-wellness": 15, "type-sick": 15, "type-recheck": 15},
    SURGEON: {"type-surgery-consult": 45, "type-recheck": 30, "type-sick": 15, "type-dental": 10},
}


class Crowd:
    """The patients that may come, each in turn, so that nobody comes every day."""

    def __init__(self, random: Random, start: date, clients: list[Client], patients: list[Patient]) -> None:
        inactive = {client.id for client in clients if client.inactive}
        able = [patient for patient in patients if patient.state == "active" and patient.client_id not in inactive]
        random.shuffle(able)
        usual = [patient for patient in able if patient.species in {"Canine", "Feline"}]
        young = [patient for patient in usual if patient.born and patient.born > start - timedelta(days=365)]
        self._usual = cycle(usual)
        self._young = cycle(young)
        self._exotic = cycle([patient for patient in able if patient not in usual])

    def patient_for(self, type_: str) -> Patient:
        if type_ == "type-exotics":
            return next(self._exotic)
        return next(self._young if type_ == "type-puppy-kitten" else self._usual)


def appointments(
    random: Random,
    start: date,
    *,
    columns: list[Column],
    blocks: list[Block],
    holidays: list[Holiday],
    crowd: Crowd,
) -> list[Appointment]:
    """Fill the days from one week before `start` to four weeks after it."""
    first, last = start - WEEK_BEFORE, start + WEEKS_AFTER
    closed = {day for holiday in holidays for day in (holiday.first_day, holiday.last_day)}
    taken: dict[str, list[Span]] = defaultdict(list)
    for block in blocks:
        taken[block.column] += happenings(block.time, first, last)
    placed: list[Appointment] = []
    for column in columns:
        if column.id not in MIX:
            continue
        for span in without(opened(column, first, last), list(taken[column.id])):
            if span[0].date() not in closed:
                placed += _fill(random, start, column.id, span, taken, crowd)
    placed += _squeezed_in(random, start, placed, crowd)
    placed.sort(key=lambda appointment: (appointment.start, appointment.columns, appointment.note))
    return [replace(appointment, id=f"appt-{number:05}") for number, appointment in enumerate(placed, start=1)]


def _fill(
    random: Random, start: date, column: str, span: Span, taken: dict[str, list[Span]], crowd: Crowd
) -> Iterator[Appointment]:
    """Walk one open span of one column."""
    at, end = span
    # A technician spends much of the day assisting, which is on nobody's schedule.
    load = _load((at.date() - start).days) * (0.75 if column in TECHNICIANS else 1)
    mix = MIX[column]
    while at < end:
        type_ = random.choices(list(mix), list(mix.values()))[0]
        until = at + timedelta(minutes=MINUTES[type_])
        extra = _with(random, type_, (at, until), taken) if until <= end and random.random() < load else None
        if extra is None:
            # A gap holds a whole half hour by the clock, so that what is free can be offered.
            at += timedelta(minutes=30 + -at.minute % 30)
            continue
        columns = [column, *extra]
        for each in columns:
            taken[each].append((at, until))
        yield _appointment(random, start, type_, (at, until), columns, crowd.patient_for(type_))
        at = until + timedelta(minutes=-until.minute % 10)


def _load(days_ahead: int) -> float:
    """Return how full a day is: as full as it gets up to today, a quarter of that in four weeks."""
    return 0.82 - 0.021 * max(days_ahead, 0)


def _with(random: Random, type_: str, span: Span, taken: dict[str, list[Span]]) -> list[str] | None:
    """Return what else a visit takes, or None where some of it is not free."""
    rooms = random.sample(ROOMS, len(ROOMS))
    needs: list[list[str]] = [rooms]
    if type_ == "type-telehealth":
        needs = []
    elif type_ == "type-dental":
        needs = [[DENTAL_SUITE]]
    elif type_ == "type-ultrasound":
        needs = [list(TECHNICIANS[:2]), rooms, [ULTRASOUND]]
    found: list[str] = []
    for any_of in needs:
        free = next((each for each in any_of if not _overlaps(span, taken[each])), None)
        if free is None:
            return None
        found.append(free)
    return found


def _overlaps(span: Span, taken: list[Span]) -> bool:
    return any(begin < span[1] and span[0] < end for begin, end in taken)


def _appointment(
    random: Random, start: date, type_: str, span: Span, columns: list[str], patient: Patient
) -> Appointment:
    days_ahead = (span[0].date() - start).days
    states: tuple[State, ...] = ("scheduled", "confirmed", "cancelled")
    weights = (20, 76, 4) if days_ahead <= 1 else (66, 30, 4)
    if days_ahead < 0:
        states, weights = ("completed", "cancelled", "no_show"), (90, 6, 4)
    return Appointment(
        id="",
        start=_instant(span[0]),
        end=_instant(span[1]),
        columns=columns,
        state=random.choices(states, weights)[0],
        type_id=type_,
        client_id=patient.client_id,
        patient_id=patient.id,
        note=random.choice(WORDS.notes[type_]),
    )


def _squeezed_in(random: Random, start: date, placed: list[Appointment], crowd: Crowd) -> list[Appointment]:
    """Put a second patient on top of some doctors' appointments that are still to come."""
    tomorrow = _instant(datetime.combine(start, datetime.min.time()) + timedelta(days=1))
    crowded = [
        appointment
        for appointment in placed
        if appointment.start > tomorrow and appointment.columns[0] in DOCTORS and appointment.state not in FREE_STATES
    ]
    squeezed: list[Appointment] = []
    for under in random.sample(crowded, SQUEEZED_IN):
        patient = crowd.patient_for("type-sick")
        squeezed.append(
            replace(
                under,
                type_id="type-sick",
                client_id=patient.client_id,
                patient_id=patient.id,
                state="scheduled",
                note="Squeeze in, doctor is OK with it",
            )
        )
    return squeezed


def _instant(local: datetime) -> datetime:
    return to_instant(local, ZoneInfo(ZONE)).astimezone(UTC)
