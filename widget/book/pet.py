"""The fourth step, after the contact is proven: which pet, and for newcomers who they are."""

from __future__ import annotations

from typing import Literal, cast, get_args
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response.redirect import Redirect

from booking.book import KnownClient, KnownPatient, NewClient, NewPatient
from booking.db.appointment_types import AppointmentType, any_appointment_type
from booking.db.clients import Where
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice
from booking.details import MISSING, asked
from booking.identify import Account, accounts_of
from booking.local_days import local_date
from booking.offers import welcomes
from booking.standing import standing
from widget import flow as flows
from widget.book.shell import GoElsewhere, Kept, TheFlow, TheKept, ThePractice, booking_page, flow_path
from widget.clock import now
from widget.flow import Flow, next_step
from widget.forms import Form, read_form
from widget.pages import see_other
from widget.state import HttpRequest, ThePool, TheRedis

Sex = Literal["", "female", "female_spayed", "male", "male_neutered"]
SEXES = {
    "": "I’d rather not say, or don’t know",
    "female": "Female",
    "female_spayed": "Female, spayed",
    "male": "Male",
    "male_neutered": "Male, neutered",
}
NOBODY = "new"
WHERE = {"address": 200, "city": 120, "postal_code": 20}


@get("/book/{slug:str}/f/{token:str}/pet")
async def pet(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept: TheKept,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
) -> Response[str] | Redirect:
    """Show the pets of whoever proved the contact; newcomers go on to their details."""
    accounts, appointment_type = await _known(practice, token, flow, pool)
    if not accounts:
        return see_other(f"{flow_path(practice, token)}/details?client={NOBODY}")
    if not welcomes(appointment_type, new_client=False):
        # They said that they are new here, and are not: from now on they are shown what is for them.
        wish = msgspec.structs.replace(flow.wish, new_client=False)
        await flows.save(redis, practice, token, msgspec.structs.replace(flow, wish=wish))
        return booking_page(request, practice, "known_already.html", flow=flow, step=flow_path(practice, token))
    chosen = ""
    if isinstance(flow.client, KnownClient) and isinstance(flow.patient, KnownPatient):
        chosen = f"{flow.client.client_id}/{flow.patient.patient_id}"
    form = Form({"pet": chosen})
    if "again" in request.query_params:
        form.errors["pet"] = f"This pet cannot be booked online. Please choose another one, or call {practice.phone}."
    return _pet_page(request, practice, token, flow, kept, form, accounts, appointment_type)


@post("/book/{slug:str}/f/{token:str}/pet")
async def choose_pet(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept: TheKept,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
) -> Response[str] | Redirect:
    """Take one of the pets, or go on to describe another one."""
    form = await read_form(request)
    accounts, appointment_type = await _known(practice, token, flow, pool)
    path = flow_path(practice, token)
    pets = {
        f"{account.client.client_id}/{patient.patient_id}": (account.client, patient)
        for account in accounts
        for patient in account.patients
        if patient.species in appointment_type.species
    }
    others = {f"{account.client.client_id}/{NOBODY}": account.client.client_id for account in accounts}
    chosen = form.chosen("pet", [*pets, *others, NOBODY], missing="Please choose who the visit is for.")
    if form.errors:
        return _pet_page(request, practice, token, flow, kept, form, accounts, appointment_type, status=422)
    if chosen in pets:
        client, patient = pets[chosen]
        known = KnownPatient(patient_id=patient.patient_id)
        flow = _with_client(flow, KnownClient(client_id=client.client_id), known, patient.species)
        await flows.save(redis, practice, token, flow)
        return see_other(f"{path}/{next_step(flow)}")
    return see_other(f"{path}/details?client={others.get(chosen, NOBODY)}")


@get("/book/{slug:str}/f/{token:str}/details")
async def details(
    practice: ThePractice, token: FromPath[str], flow: TheFlow, kept: TheKept, request: HttpRequest, pool: ThePool
) -> Response[str]:
    """Ask for a pet that we do not know, and for its person where we do not know them either."""
    accounts, appointment_type = await _known(practice, token, flow, pool)
    client_id = _client_id(request.query_params.get("client", ""), accounts)
    if client_id is None and not _newcomer_may_book(practice, appointment_type):
        return see_other(f"{flow_path(practice, token)}/request?known=no")
    asks = await _asked(practice, pool)
    form = _entered(flow)
    if "again" in request.query_params and isinstance(flow.patient, NewPatient):
        _read(form, practice, flow, client_id, appointment_type, asks)
    return _details_page(request, practice, token, flow, kept, form, client_id, appointment_type, asks)


@post("/book/{slug:str}/f/{token:str}/details")
async def enter_details(
    practice: ThePractice,
    token: FromPath[str],
    flow: TheFlow,
    kept: TheKept,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
) -> Response[str]:
    """Take the details."""
    form = await read_form(request)
    accounts, appointment_type = await _known(practice, token, flow, pool)
    client_id = _client_id(request.query_params.get("client", ""), accounts)
    if client_id is None and not _newcomer_may_book(practice, appointment_type):
        return see_other(f"{flow_path(practice, token)}/request?known=no")
    asks = await _asked(practice, pool)
    client, patient = _read(form, practice, flow, client_id, appointment_type, asks)
    if form.errors:
        return _details_page(request, practice, token, flow, kept, form, client_id, appointment_type, asks, status=422)
    flow = _with_client(flow, client, patient, patient.species)
    await flows.save(redis, practice, token, flow)
    return see_other(f"{flow_path(practice, token)}/{next_step(flow)}")


Asks = frozenset[tuple[str, str]]
"""What the practice's own system requires beyond what is always asked: of whom, and which field."""


async def _asked(practice: Practice, pool: Pool) -> Asks:
    async with of_practice(pool, practice.practice_id) as conn:
        writes = (await standing(conn, practice.practice_id)).writes
    return frozenset((one.of, one.field) for one in asked(writes.asks if writes else ()))


def _read(
    form: Form, practice: Practice, flow: Flow, client_id: UUID | None, appointment_type: AppointmentType, asks: Asks
) -> tuple[KnownClient | NewClient, NewPatient]:
    """Return who was described, with errors in the form where something is missing."""
    client = _new_client(form, practice, flow, asks) if client_id is None else KnownClient(client_id=client_id)
    return client, _new_patient(form, practice, appointment_type, asks)


def _new_client(form: Form, practice: Practice, flow: Flow, asks: Asks) -> NewClient:
    if flow.contact is None:
        raise LookupError("Details are asked for after a contact is proven.")
    other = "email" if flow.contact.kind == "phone" else "phone"
    client = NewClient(
        given_name=form.line("given_name", most=60, missing="Please enter your first name."),
        family_name=form.line("family_name", most=60, missing="Please enter your last name."),
        other_contact=form.other_contact("other_contact", practice.region, flow.contact),
        where=Where(**{name: _where(form, name, asks) for name in WHERE}),
    )
    if ("client", other) in asks and client.other_contact is None and "other_contact" not in form.errors:
        form.errors["other_contact"] = MISSING[other]
    return client


def _where(form: Form, name: str, asks: Asks) -> str:
    """Read a part of an address, which is on the page only where the practice needs it."""
    return form.line(name, most=WHERE[name], missing=MISSING[name]) if ("client", name) in asks else ""


def _new_patient(form: Form, practice: Practice, appointment_type: AppointmentType, asks: Asks) -> NewPatient:
    sex = form.chosen("sex", get_args(Sex), missing="Please choose one of these.")
    patient = NewPatient(
        name=form.line("pet_name", most=60, missing="Please enter your pet’s name."),
        species=form.chosen("species", appointment_type.species, missing="Please choose what kind of pet it is."),
        breed=form.line("breed", most=80),
        sex=cast("Sex", sex),
        birth_date=form.birth_date("birth_date", local_date(now(), practice.timezone)),
    )
    for field in ("breed", "sex", "birth_date"):
        if ("patient", field) in asks and not getattr(patient, field) and field not in form.errors:
            form.errors[field] = MISSING[field]
    return patient


def _with_client(flow: Flow, client: KnownClient | NewClient, patient: KnownPatient | NewPatient, species: str) -> Flow:
    """Keep who it is; what they said at first about being new, and the species, give way to what is so."""
    wish = msgspec.structs.replace(flow.wish, new_client=isinstance(client, NewClient), patients=(species,))
    return msgspec.structs.replace(flow, client=client, patient=patient, wish=wish)


async def _known(practice: Practice, token: str, flow: Flow, pool: Pool) -> tuple[list[Account], AppointmentType]:
    if flow.contact is None:
        raise GoElsewhere(f"{flow_path(practice, token)}/{next_step(flow)}")
    async with of_practice(pool, practice.practice_id) as conn:
        appointment_type = await any_appointment_type(conn, practice.practice_id, flow.wish.appointment_type_id)
    if appointment_type is None:
        raise LookupError("A flow's type is one that the practice has.")
    return await accounts_of(pool, practice, flow.contact), appointment_type


def _newcomer_may_book(practice: Practice, appointment_type: AppointmentType) -> bool:
    return practice.who_may_book == "everyone" and welcomes(appointment_type, new_client=True)


def _client_id(text: str, accounts: list[Account]) -> UUID | None:
    """Return which of the proven contact's own clients is meant; None: somebody new."""
    return next((one.client.client_id for one in accounts if str(one.client.client_id) == text), None)


def _entered(flow: Flow) -> Form:
    values = {"species": flow.wish.species, "sex": ""}
    if isinstance(flow.client, NewClient):
        other = flow.client.other_contact
        values |= {"given_name": flow.client.given_name, "family_name": flow.client.family_name}
        values |= {"other_contact": other.value if other else ""}
        values |= {name: getattr(flow.client.where, name) for name in WHERE}
    if isinstance(flow.patient, NewPatient):
        born = flow.patient.birth_date
        values |= {"pet_name": flow.patient.name, "species": flow.patient.species, "breed": flow.patient.breed}
        values |= {"sex": flow.patient.sex, "birth_date": born.isoformat() if born else ""}
    return Form(values)


def _pet_page(
    request: HttpRequest,
    practice: Practice,
    token: str,
    flow: Flow,
    kept: Kept,
    form: Form,
    accounts: list[Account],
    appointment_type: AppointmentType,
    *,
    status: int = 200,
) -> Response[str]:
    return booking_page(
        request,
        practice,
        "pet.html",
        status=status,
        flow=flow,
        kept=kept,
        form=form,
        step=flow_path(practice, token),
        accounts=accounts,
        appointment_type=appointment_type,
        newcomer_may_book=_newcomer_may_book(practice, appointment_type),
    )


def _details_page(
    request: HttpRequest,
    practice: Practice,
    token: str,
    flow: Flow,
    kept: Kept,
    form: Form,
    client_id: UUID | None,
    appointment_type: AppointmentType,
    asks: Asks,
    *,
    status: int = 200,
) -> Response[str]:
    return booking_page(
        request,
        practice,
        "details.html",
        status=status,
        flow=flow,
        kept=kept,
        form=form,
        step=flow_path(practice, token),
        client_id=client_id,
        appointment_type=appointment_type,
        sexes=SEXES.items(),
        asks={f"{of}.{field}" for of, field in asks},
    )
