"""The appointment types: what may be booked online, by whom, how long it takes and with how much notice."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from litestar import Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import Body, FromPath, QueryParameter
from litestar.response.redirect import Redirect
from msgspec import Meta, Struct

from booking.configure.appointment_types import ChangeRefused, TypeChange, change_appointment_type
from booking.db.appointment_types import AppointmentType, Audience, any_appointment_type, appointment_types
from booking.db.pool import of_practice
from widget.clock import now as present
from widget.console.session import AtConsole, Who
from widget.pages import page, see_other
from widget.state import ThePool

AUDIENCES: dict[Audience, str] = {
    "everyone": "Everyone",
    "existing": "Existing clients only",
    "new": "New clients only",
}
Text = Annotated[str, Meta(max_length=200)]
LARGEST_NUMBER = 100_000


class TypeForm(Struct, frozen=True, kw_only=True):
    """The fields as typed, to be shown again as they were; a box that is not ticked is not sent."""

    name: Text = ""
    bookable_online: Text = ""
    length: Text = ""
    who_may_book: Text = ""
    notice_hours: Text = ""
    notice_minutes: Text = ""


@get("/appointment-types")
async def show_types(who: Who, pool: ThePool) -> Response[str]:
    """List the types."""
    async with of_practice(pool, who.practice.practice_id) as conn:
        types = await appointment_types(conn, who.practice.practice_id)
    return page(
        "console/appointment_types.html",
        who=who,
        practice=who.practice,
        here="appointment-types",
        types=types,
        audiences=AUDIENCES,
    )


@get("/appointment-types/{appointment_type_id:uuid}")
async def show_type(
    who: Who,
    pool: ThePool,
    appointment_type_id: FromPath[UUID],
    saved: Annotated[str, QueryParameter(max_length=5)] = "",
) -> Response[str]:
    """Show a type, as a form to whoever may change it."""
    found = await _type(who, pool, appointment_type_id)
    return _type_page(who, found, form_of(found), {}, saved=saved == "yes")


@post("/appointment-types/{appointment_type_id:uuid}")
async def change_type(
    who: Who,
    pool: ThePool,
    appointment_type_id: FromPath[UUID],
    data: Annotated[TypeForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[str] | Redirect:
    """Save a change, or show the form again with what is wrong beside each field."""
    if not who.may_configure:
        raise PermissionDeniedException
    found = await _type(who, pool, appointment_type_id)
    change = change_of(data)
    if isinstance(change, dict):
        return _type_page(who, found, data, change, status=422)
    try:
        await change_appointment_type(pool, who.practice, who.staff, found.appointment_type_id, change, now=present())
    except ChangeRefused as refused:
        return _type_page(who, found, data, {"form": str(refused)}, status=422)
    return see_other(f"/console/appointment-types/{found.appointment_type_id}?saved=yes")


def form_of(appointment_type: AppointmentType) -> TypeForm:
    """Return a type's fields as the form shows them."""
    hours, minutes = divmod(_minutes(appointment_type.notice), 60)
    return TypeForm(
        name=appointment_type.name,
        bookable_online="yes" if appointment_type.bookable_online else "",
        length=str(_minutes(appointment_type.length)),
        who_may_book=appointment_type.who_may_book,
        notice_hours=str(hours),
        notice_minutes=str(minutes),
    )


def change_of(form: TypeForm) -> TypeChange | dict[str, str]:
    """Return the change that a form asks for, or a sentence for each field that cannot be read."""
    wrong = {}
    name = " ".join(form.name.split())
    if not name:
        wrong["name"] = "Please enter a name that clients understand."
    length = _number(form.length)
    if length is None:
        wrong["length"] = "Please enter the length in whole minutes, such as 30."
    audience = next((one for one in AUDIENCES if one == form.who_may_book), None)
    if audience is None:
        wrong["who_may_book"] = "Please choose who may book this."
    hours, minutes = _number(form.notice_hours or "0"), _number(form.notice_minutes or "0")
    if hours is None or minutes is None:
        wrong["notice"] = "Please enter the notice in whole hours and minutes, such as 2 and 0."
    if length is None or audience is None or hours is None or minutes is None or wrong:
        return wrong
    return TypeChange(
        name=name,
        bookable_online=form.bookable_online == "yes",
        length=timedelta(minutes=length),
        who_may_book=audience,
        notice=timedelta(hours=hours, minutes=minutes),
    )


async def _type(who: AtConsole, pool: ThePool, appointment_type_id: UUID) -> AppointmentType:
    async with of_practice(pool, who.practice.practice_id) as conn:
        found = await any_appointment_type(conn, who.practice.practice_id, appointment_type_id)
    if found is None:
        raise NotFoundException
    return found


def _type_page(
    who: AtConsole,
    found: AppointmentType,
    form: TypeForm,
    wrong: dict[str, str],
    *,
    saved: bool = False,
    status: int = 200,
) -> Response[str]:
    return page(
        "console/appointment_type.html",
        status=status,
        who=who,
        practice=who.practice,
        here="appointment-types",
        type=found,
        form=form,
        wrong=wrong,
        saved=saved,
        audiences=AUDIENCES,
    )


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(LARGEST_NUMBER)) else None


def _minutes(span: timedelta) -> int:
    return span // timedelta(minutes=1)
