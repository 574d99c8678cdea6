"""Riverside Animal Hospital: its columns, hours, block-offs, holidays and visit types.

Everything is laid out from a start date: whenever that is, a holiday, a day off and a conference lie ahead.
"""

from datetime import date, datetime, time, timedelta

from pims_adapters.demo.clinic.records import (
    Block,
    Column,
    Holiday,
    Opening,
    Practice,
    SpecialDay,
    VisitType,
    Weekly,
)

ZONE = "America/New_York"
EXOTICS_DOCTOR = "prov-nguyen"
SURGEON = "prov-rossi"
TYPES = (
    VisitType(id="type-wellness", name="Wellness exam", minutes=30),
    VisitType(id="type-sick", name="Sick visit", minutes=30),
    VisitType(id="type-vaccines", name="Vaccines", minutes=20),
    VisitType(id="type-puppy-kitten", name="Puppy/kitten series", minutes=30),
    VisitType(id="type-new-client", name="New client exam", minutes=45),
    VisitType(id="type-recheck", name="Recheck", minutes=20),
    VisitType(id="type-dental", name="Dental cleaning (drop-off)", minutes=120),
    VisitType(id="type-nail-trim", name="Technician nail trim", minutes=15),
    VisitType(id="type-tech-visit", name="Technician visit", minutes=20),
    VisitType(id="type-ultrasound", name="Ultrasound", minutes=45),
    VisitType(id="type-exotics", name="Exotics exam", minutes=40),
    VisitType(id="type-surgery-consult", name="Surgery consult", minutes=30),
    VisitType(id="type-euthanasia", name="Euthanasia", minutes=60),
    VisitType(id="type-telehealth", name="Telehealth", minutes=20),
)

# Each person: label, weekdays, opens, closes, which Saturdays (None: none), lunch.
_DOCTORS = {
    "prov-lee": ("Dr. Hannah Lee", "MO,TU,WE,TH,FR", 8, 17, 0, 12),
    "prov-okafor": ("Dr. Daniel Okafor", "MO,TU,WE,TH,FR", 9, 18, 1, 13),
    "prov-martinez": ("Dr. Sofia Martinez", "TU,TH", 8, 16, None, 12),  # part-time
    "prov-nguyen": ("Dr. Minh Nguyen (exotics)", "MO,WE,TH,FR", 9, 18, 0, 13),
    "prov-rossi": ("Dr. Elena Rossi", "MO,TU,WE,TH,FR", 8, 16, None, 12),
    "prov-bennett": ("Dr. James Bennett", "MO,TU,WE,FR", 9, 18, 1, 13),
}
_TECHNICIANS = {
    "tech-alvarez": ("Maya Alvarez, LVT", "MO,TU,WE,TH,FR", 8, 17, 0, 11),
    "tech-brooks": ("Tyler Brooks, LVT", "MO,TU,WE,TH,FR", 8, 17, 1, 12),
    "tech-chen": ("Wendy Chen, LVT", "MO,TU,WE,TH,FR", 9, 18, 0, 13),
    "tech-dubois": ("Claire Dubois, VA", "MO,TU,TH,FR", 9, 18, 1, 14),
}
ROOMS = tuple(f"room-{number}" for number in range(1, 6))
DENTAL_SUITE = "room-dental"
ULTRASOUND = "equip-ultrasound"
DOCTORS = tuple(_DOCTORS)
TECHNICIANS = tuple(_TECHNICIANS)


def practice(start: date) -> Practice:
    anchor = _anchor(start)
    return Practice(
        id="practice-riverside",
        name="Riverside Animal Hospital",
        timezone=ZONE,
        door_hours=[
            _weekly(anchor, "MO,TU,WE,TH,FR", 8 * 60, 10 * 60),
            _weekly(anchor + timedelta(days=5), "SA", 9 * 60, 4 * 60),
        ],
    )


def columns(start: date) -> list[Column]:
    anchor = _anchor(start)
    special: dict[str, list[SpecialDay]] = {
        "prov-lee": [SpecialDay(date=_weekday(start, 9, 2), hours=[Opening(opens="08:00", closes="12:00")])],
        "prov-okafor": [SpecialDay(date=_weekday(start, 5, 4))],
        "tech-chen": [SpecialDay(date=_weekday(start, 12, 1))],
    }
    people: list[Column] = []
    for category, staff in (("doctor", _DOCTORS), ("technician", _TECHNICIANS)):
        for id_, (label, days, opens, closes, saturdays, _) in staff.items():
            hours = [_weekly(anchor, days, opens * 60, (closes - opens) * 60)]
            if saturdays is not None:
                first = anchor + timedelta(days=5, weeks=saturdays)
                hours.append(_weekly(first, "SA", 9 * 60, 4 * 60, every=2))
            days_off = special.get(id_, [])
            people.append(
                Column(
                    id=id_,
                    label=label,
                    category="doctor" if category == "doctor" else "technician",
                    hours=hours,
                    special_days=days_off,
                )
            )
    rooms = [Column(id=id_, label=f"Exam room {id_[-1]}", category="room") for id_ in ROOMS]
    rooms.append(Column(id=DENTAL_SUITE, label="Dental suite", category="room"))
    return [*people, *rooms, Column(id=ULTRASOUND, label="Ultrasound machine", category="equipment")]


def blocks(start: date) -> list[Block]:
    anchor = _anchor(start)
    everyone = {**_DOCTORS, **_TECHNICIANS}
    found = [
        Block(
            id=f"block-lunch-{id_}",
            column=id_,
            time=_weekly(anchor, days, lunch * 60, 60),
            reason="Lunch",
        )
        for id_, (_, days, _, _, _, lunch) in everyone.items()
    ]
    skipped = _weekday(start, 7, 2)
    found += [
        Block(
            id=f"block-meeting-{id_}",
            column=id_,
            time=_weekly(anchor + timedelta(days=2), "WE", 9 * 60, 30, except_dates=[skipped]),
            reason="Team meeting",
        )
        for id_, (_, days, *_) in everyone.items()
        if "WE" in days
    ]
    found.append(
        Block(
            id="block-surgery-rossi",
            column=SURGEON,
            time=_weekly(anchor, "TU,TH", 8 * 60, 4 * 60),
            reason="Surgery morning",
        )
    )
    conference = _weekday(start, 14, 0)
    once = (
        ("block-conference-bennett", "prov-bennett", conference, 9, 9 * 60, "Conference"),
        ("block-conference-bennett-2", "prov-bennett", conference + timedelta(days=1), 9, 9 * 60, "Conference"),
        ("block-dentist-lee", "prov-lee", _weekday(start, 3, 1), 15, 120, "Own dentist, back tomorrow"),
        ("block-paint-room-4", "room-4", _weekday(start, 10, 3), 8, 10 * 60, "Painting"),
        ("block-service-ultrasound", ULTRASOUND, _weekday(start, 6, 4), 8, 4 * 60, "Service visit"),
        ("block-inventory-dental", DENTAL_SUITE, _weekday(start, 2, 0), 16, 120, "Inventory"),
    )
    found += [
        Block(
            id=id_,
            column=column,
            time=Weekly(starts=datetime.combine(day, time(hour)), minutes=minutes),
            reason=reason,
        )
        for id_, column, day, hour, minutes, reason in once
    ]
    return found


def holidays(start: date) -> list[Holiday]:
    """Return what the practice keeps closed from `start` for four weeks: federal holidays, or else a training day."""
    last = start + timedelta(weeks=4)
    found = [
        Holiday(id=f"holiday-{day.isoformat()}", name=name, first_day=day, last_day=day)
        for year in sorted({start.year, last.year})
        for day, name in _federal(year)
        if start < day <= last
    ]
    if not any(holiday.first_day.weekday() <= 5 for holiday in found):  # noqa: PLR2004 - Monday to Saturday
        day = _weekday(start, 15, 3)
        found.append(Holiday(id=f"holiday-{day.isoformat()}", name="Staff training day", first_day=day, last_day=day))
    return found


def _federal(year: int) -> list[tuple[date, str]]:
    thanksgiving = _weekday(date(year, 11, 1), 0, 3) + timedelta(weeks=3)
    return [
        (date(year, 1, 1), "New Year's Day"),
        (_weekday(date(year, 5, 25), 0, 0), "Memorial Day"),
        (date(year, 7, 4), "Independence Day"),
        (_weekday(date(year, 9, 1), 0, 0), "Labor Day"),
        (thanksgiving, "Thanksgiving"),
        (date(year, 12, 25), "Christmas Day"),
    ]


def _anchor(start: date) -> date:
    """Return the Monday every recurrence of a year counts from, so that alternate Saturdays hold still for a year."""
    new_year = date((start - timedelta(weeks=1)).year, 1, 1)
    return new_year - timedelta(days=new_year.weekday())


def _weekday(start: date, after: int, weekday: int) -> date:
    """Return the first such weekday (Monday is 0) at least `after` days later."""
    day = start + timedelta(days=after)
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def _weekly(
    first: date,
    days: str,
    minute: int,
    minutes: int,
    *,
    every: int = 1,
    except_dates: list[date] | None = None,
) -> Weekly:
    names = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
    opening = min(names.index(day) for day in days.split(","))
    day = first + timedelta(days=(opening - first.weekday()) % 7)
    return Weekly(
        starts=datetime.combine(day, time(minute // 60, minute % 60)),
        minutes=minutes,
        rrule=f"FREQ=WEEKLY;INTERVAL={every};BYDAY={days}" if every > 1 else f"FREQ=WEEKLY;BYDAY={days}",
        except_dates=except_dates or [],
    )
