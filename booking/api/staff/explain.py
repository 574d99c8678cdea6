"""Why a start is not offered: for staff whom a client asks on the phone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath, QueryParameter

from booking.api.given import ThePool, now
from booking.api.problems import declared
from booking.api.refusals import NotFound, StartUnclear
from booking.api.slots import PATIENTS
from booking.api.staff.who import OF_STAFF, FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.db.holds import Wish
from booking.offers import NotBookableOnline
from booking.why_not import WhyNot, why_not

BACK, AHEAD = timedelta(days=1), timedelta(days=400)
Patients = Annotated[str, QueryParameter(pattern=PATIENTS, description="The species of each patient: `dog,cat`.")]


@get(
    "/practices/{slug:str}/slots/explain",
    guards=[Needs("schedule:read")],
    dependencies=OF_STAFF,
    responses=declared(NotSignedIn, ScopeMissing, FromAnotherSite, NotFound, NotBookableOnline, StartUnclear),
)
async def explain_start(
    slug: FromPath[str],
    who: TheStaff,
    pool: ThePool,
    appointment_type: Annotated[UUID, QueryParameter(name="appointmentType")],
    start: Annotated[datetime, QueryParameter(description="The start that a client asks for, with its offset.")],
    patients: Patients = "dog",
    provider: Annotated[UUID | None, QueryParameter(description="Only with this provider.")] = None,
    client: Annotated[Literal["new", "existing"], QueryParameter(description="Whom the times are for.")] = "existing",
) -> WhyNot:
    """Say why a start is not offered: who or what is in the way, in up to three ways, the simplest first."""
    if slug != who.practice.slug:
        raise NotFound(NotFound.__doc__)
    at = now()
    if start.tzinfo is None or start.second or start.microsecond or not at - BACK <= start <= at + AHEAD:
        raise StartUnclear(StartUnclear.__doc__)
    wish = Wish(
        appointment_type_id=appointment_type,
        patients=tuple(patients.split(",")),
        new_client=client == "new",
        provider_id=provider,
    )
    return await why_not(pool, who.practice, wish, start, now=at)


router = Router("/", route_handlers=[explain_start], tags=["staff"])
