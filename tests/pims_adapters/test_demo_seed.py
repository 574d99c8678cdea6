"""The seeded practice: the same every time, and as varied as promised."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from itertools import combinations
from time import perf_counter
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
import phonenumbers
import pytest

from pims_adapters.demo.clinic import personas
from pims_adapters.demo.clinic.records import (
    FREE_STATES,
    AnyRecord,
    Appointment,
    Block,
    Client,
    Column,
    Holiday,
    Patient,
    VisitType,
)
from pims_adapters.demo.clinic.schedule import opened, refusal, to_local
from pims_adapters.demo.clinic.seed import records
from pims_adapters.demo.clinic.seed_practice import holidays
from tests.demo_clinic import ROOT, SEED_DATE

ZONE = ZoneInfo("America/New_York")
T = TypeVar("T", bound=AnyRecord)


@pytest.fixture(scope="module")
def seeded() -> list[AnyRecord]:
    return records(SEED_DATE)


def all_of(seeded: list[AnyRecord], type_: type[T]) -> dict[str, T]:
    return {record.id: record for record in seeded if isinstance(record, type_)}


def test_the_same_seed_and_date_give_the_same_bytes_in_every_process() -> None:
    code = (
        "import hashlib, datetime, msgspec; from pims_adapters.demo.clinic.seed import records;"
        f"print(hashlib.sha256(msgspec.json.encode(records(datetime.date({SEED_DATE:%Y, %-m, %-d})))).hexdigest())"
    )
    printed = {
        subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert msgspec.json.encode(records(SEED_DATE, 2)) != msgspec.json.encode(records(SEED_DATE))


def test_seeding_is_quick() -> None:
    began = perf_counter()
    records(SEED_DATE)
    assert perf_counter() - began < 1.5


def test_the_practice_has_the_promised_columns_and_types(seeded: list[AnyRecord]) -> None:
    columns = all_of(seeded, Column)
    assert Counter(column.category for column in columns.values()) == {
        "doctor": 6,
        "technician": 4,
        "room": 6,
        "equipment": 1,
    }
    assert {"prov-lee", "tech-chen", "room-5", "room-dental", "equip-ultrasound"} <= columns.keys()
    assert {"type-wellness", "type-dental", "type-nail-trim", "type-ultrasound", "type-exotics"} <= all_of(
        seeded, VisitType
    ).keys()
    week = [opened(columns["prov-martinez"], SEED_DATE, SEED_DATE + timedelta(days=6))]
    assert len(week[0]) == 2, "Dr. Martinez is there on two days a week"


def test_saturdays_alternate_and_someone_is_always_there(seeded: list[AnyRecord]) -> None:
    columns = all_of(seeded, Column)
    saturdays = [SEED_DATE + timedelta(days=6 + 7 * week) for week in range(4)]
    lee = [bool(opened(columns["prov-lee"], day, day)) for day in saturdays]
    okafor = [bool(opened(columns["prov-okafor"], day, day)) for day in saturdays]
    assert lee in ([True, False] * 2, [False, True] * 2)
    assert okafor == [not there for there in lee]


@pytest.mark.parametrize("days", range(0, 366, 13))
def test_a_holiday_lies_ahead_whatever_the_date(days: int) -> None:
    start = date(2026, 1, 1) + timedelta(days=days)
    assert any(start < holiday.first_day <= start + timedelta(weeks=4) for holiday in holidays(start))


def test_block_offs_recur_happen_once_and_skip_a_date(seeded: list[AnyRecord]) -> None:
    blocks = all_of(seeded, Block)
    assert blocks["block-surgery-rossi"].time.rrule == "FREQ=WEEKLY;BYDAY=TU,TH"
    assert blocks["block-paint-room-4"].time.rrule is None
    assert len(blocks["block-meeting-prov-lee"].time.except_dates) == 1


def test_households_are_as_untidy_as_life(seeded: list[AnyRecord]) -> None:
    clients, patients = all_of(seeded, Client), all_of(seeded, Patient)
    assert (len(clients), len(patients)) == (400, 700)
    shared = Counter(
        digits
        for client in clients.values()
        for typed in client.phones
        if len(digits := re.sub(r"\D", "", typed)) == 10
    )
    assert sum(1 for many in shared.values() if many > 1) >= 20, "households share phones"
    assert max(shared.values()) == 2
    assert sum(1 for client in clients.values() if not client.emails) >= 30
    assert sum(1 for client in clients.values() if client.inactive) >= 10
    states = Counter(patient.state for patient in patients.values())
    assert states["deceased"] >= 30
    assert states["inactive"] >= 20
    assert {patient.species for patient in patients.values()} == {"Canine", "Feline", "Rabbit", "Avian", "Reptile"}
    assert all(patient.client_id in clients for patient in patients.values())


def test_nobody_real_can_be_called_or_written_to(seeded: list[AnyRecord]) -> None:
    for client in all_of(seeded, Client).values():
        for typed in client.phones:
            assert not re.search(r"\d{7}", digits := re.sub(r"\D", "", typed)) or "55501" in digits, typed
        for typed in client.emails:
            assert "@" not in typed or re.search(r"@example[.,](com|org|net)\s*$", typed, re.IGNORECASE), typed


def test_personas_are_what_they_promise(seeded: list[AnyRecord]) -> None:
    clients, patients = all_of(seeded, Client), all_of(seeded, Patient)
    for persona in personas.PERSONAS:
        client = clients[persona.client]
        assert f"{client.first_name} {client.last_name}" == persona.name
        if persona.phone is not None:
            assert phonenumbers.is_valid_number(phonenumbers.parse(persona.phone))
            assert persona.phone.removeprefix("+1") in re.sub(r"\D", "", "".join(client.phones))
        if persona.email is not None:
            assert persona.email in client.emails
        own = {
            patient.id: (patient.name, patient.state) for patient in patients.values() if patient.client_id == client.id
        }
        assert own == {
            **{id_: (name, "active") for id_, name in persona.patients.items()},
            **{id_: (name, "deceased") for id_, name in persona.deceased.items()},
            **{id_: (name, "inactive") for id_, name in persona.inactive.items()},
        }
    assert personas.ANA_RIVERA.phone == personas.LUIS_RIVERA.phone
    phones = Counter(re.sub(r"\D", "", typed)[:10] for client in clients.values() for typed in client.phones)
    assert phones["2125550101"] == 1


def test_appointments_keep_to_hours_and_double_book_only_on_purpose(seeded: list[AnyRecord]) -> None:
    columns, types = all_of(seeded, Column), all_of(seeded, VisitType)
    blocks, closures = all_of(seeded, Block).values(), all_of(seeded, Holiday).values()
    appointments = list(all_of(seeded, Appointment).values())
    spans: dict[str, list[Appointment]] = {}
    for appointment in appointments:
        start, end = to_local(appointment.start, ZONE), to_local(appointment.end, ZONE)
        assert appointment.type_id is not None
        assert end - start == timedelta(minutes=types[appointment.type_id].minutes) or "Squeeze" in appointment.note
        who = columns[appointment.columns[0]]
        assert any(begin <= start and end <= stop for begin, stop in opened(who, start.date(), start.date()))
        own = [block for block in blocks if block.column in appointment.columns]
        assert refusal(start, end, own, closures) is None
        if appointment.state not in FREE_STATES:
            for column in appointment.columns:
                spans.setdefault(column, []).append(appointment)
    overlaps = {
        frozenset({first.id, second.id})
        for booked in spans.values()
        for first, second in combinations(booked, 2)
        if first.start < second.end and second.start < first.end
    }
    assert len(overlaps) == 14
    by_id = {appointment.id: appointment for appointment in appointments}
    assert all(any("Squeeze" in by_id[id_].note for id_ in pair) for pair in overlaps)


def test_the_past_is_over_and_the_load_thins_out(seeded: list[AnyRecord]) -> None:
    by_week = Counter[int]()
    for appointment in all_of(seeded, Appointment).values():
        day = to_local(appointment.start, ZONE).date()
        past = appointment.state in {"completed", "no_show"}
        assert past == (day < SEED_DATE) or appointment.state == "cancelled"
        by_week[(day - SEED_DATE).days // 7] += 1
    assert set(by_week) == {-1, 0, 1, 2, 3}
    assert by_week[1] > by_week[2] > by_week[3] > 100
