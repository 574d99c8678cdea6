"""What ezyVet's interface does, as far as vetslot and the public clients use it."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from tests.pims_adapters.ezyvet.double.seed import appointment
from tests.pims_adapters.ezyvet.double.store import Refusal, Row, Store, as_v1

CREDENTIALS = {
    "partner_id": "partner-of-the-double",
    "client_id": "client-of-the-double",
    "client_secret": "secret-of-the-double",
    "grant_type": "client_credentials",
}
TOKEN_SECONDS = 12 * 3600
STATUS_WORDS = {"unconfirmed": "Unconfirmed", "confirmed": "Confirmed"}
PATCHABLE = {"cancel", "cancellation_reason", "cancellation_reason_text", "status_id", "description", "animal_id"}
SLOT_STEP = 10
DAY_OPENS, DAY_CLOSES = 8 * 60, 18 * 60

Json = dict[str, Any]


class Tokens:
    """The tokens given out, with when they end; those that name no site are good for the only one there is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: dict[str, datetime] = {}
        self.seconds = TOKEN_SECONDS
        self.given = 0

    def grant(self, body: bytes, content_type: str) -> Json:
        """Answer credentials, which come as JSON or as a form."""
        sent = json.loads(body) if "json" in content_type else dict(parse_qsl(body.decode()))
        if any(sent.get(name) != value for name, value in CREDENTIALS.items()):
            raise Refusal(401, "InvalidCredentialsException", "The credentials are wrong.")
        if sent.get("site_uid", self._store.site_uid) != self._store.site_uid:
            raise Refusal(401, "InvalidCredentialsException", "The integration is not active at this site.")
        now = int(self._store.now().timestamp())
        claims = {
            "aud": "client-of-the-double",
            "jti": secrets.token_hex(8),
            "iat": now,
            "nbf": now,
            "exp": now + self.seconds,
            "scopes": str(sent.get("scope", "")).split(","),
            "iss": "auth.ezyvet.com",
            "site_uid": self._store.site_uid,
        }
        token = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in ({"alg": "none"}, claims, "unsigned")
        )
        self._ends[token] = self._store.now() + timedelta(seconds=self.seconds)
        self.given += 1
        return {"access_token": token, "token_type": "Bearer", "expires_in": 1209600}

    def revoke(self) -> None:
        self._ends.clear()

    def check(self, authorization: str) -> None:
        ends = self._ends.get(authorization.removeprefix("Bearer "))
        if ends is None or ends <= self._store.now():
            raise Refusal(401, "InvalidRequestException", 'Check the "access token" parameter.')


def site_information(store: Store) -> Json:
    return {
        "data": {
            "id": store.site_uid,
            "type": "siteInformation",
            "attributes": {"name": "Willow Creek Veterinary"},
            "relationships": {"timezone": {"data": {"type": "timezone", "id": 1}}},
            "included": [{"id": 1, "type": "timezone", "attributes": {"name": store.zone.key}}],
        }
    }


def create_contact(store: Store, body: Json) -> Json:
    _require(body, "first_name", "last_name")
    details = body.pop("contact_detail_list", [])
    for detail in details:
        _require(detail, "name", "value", "contact_detail_type_id")
    row = store.add(
        "contact",
        code=f"2{len(store.tables['contact']) + 1:05}",
        first_name=body["first_name"],
        last_name=body["last_name"],
        business_name="",
        is_business=False,
        is_customer=bool(int(body.get("is_customer", 0))),
        is_supplier=False,
        stop_credit=body.get("stop_credit", "OK"),
        ownership_id=int(body.get("ownership_id") or 1),
    )
    for detail in details:
        store.add(
            "contactdetail",
            contact_id=row["id"],
            name=detail["name"],
            value=detail["value"],
            contact_detail_type_id=int(detail["contact_detail_type_id"]),
            preferred=bool(detail.get("preferred", 0)),
        )
    return _made("contact", row)


def create_animal(store: Store, body: Json) -> Json:
    _require(body, "contact_id", "name", "species_id", "sex_id")
    for name, table in (("contact_id", "contact"), ("species_id", "species"), ("sex_id", "sex"), ("breed_id", "breed")):
        if body.get(name) is not None and int(body[name]) not in store.tables[table]:
            raise Refusal(422, "InvalidParameterException", f"There is no {table} {body[name]}.", (name,))
    row = store.add(
        "animal",
        code=f"1{len(store.tables['animal']) + 1:05}",
        contact_id=int(body["contact_id"]),
        name=body["name"],
        species_id=int(body["species_id"]),
        breed_id=int(body["breed_id"]) if body.get("breed_id") else None,
        sex_id=int(body["sex_id"]),
        date_of_birth=int(body["date_of_birth"]) if body.get("date_of_birth") else None,
        is_dead=False,
        date_of_death=None,
        notes=body.get("notes", ""),
    )
    return _made("animal", row)


def book(store: Store, body: Json) -> Json:
    """Create an appointment, as the booking endpoint does: it wants uids."""
    _require(body, "startTime", "type", "durationMinutes", "animal", "contact", "provider")
    kind = store.by_uid("appointmenttype", body["type"])
    animal = store.by_uid("animal", body["animal"])
    contact = store.by_uid("contact", body["contact"])
    columns = [store.by_uid("resource", one)["id"] for one in (body["provider"], *body.get("additionalResources", []))]
    minutes = body["durationMinutes"]
    if not isinstance(minutes, int) or not 10 <= minutes <= 360 or minutes % 5:
        raise Refusal(422, "InvalidParameterException", "durationMinutes is from 10 to 360.", ("durationMinutes",))
    if animal["contact_id"] != contact["id"]:
        raise Refusal(422, "InvalidParameterException", f"{animal['name']} is not theirs.", ("animal", "contact"))
    if contact["stop_credit"] == "STOP":
        text = f"{contact['first_name']} {contact['last_name']} is on stop credit."
        raise Refusal(422, "InvalidRequestException", text, ("contact",))
    start = datetime.fromisoformat(body["startTime"]).astimezone(UTC)
    if store.refuses_overlaps and _meets(_taken(store, columns), start, minutes):
        raise Refusal(422, "InvalidRequestException", "The resource is not available at this time.", ("startTime",))
    status = STATUS_WORDS[body.get("appointmentStatus", "unconfirmed")]
    number = appointment(
        store,
        start,
        minutes,
        kind=kind["id"],
        columns=list(dict.fromkeys(columns)),
        animal=animal["id"],
        contact=contact["id"],
        status=next(id_ for id_, row in store.tables["appointmentstatus"].items() if row["name"] == status),
        description=body.get("description", ""),
    )
    row = store.row("appointment", number)
    row["consult_id"] = number + 5000
    return {"id": f"bookingRequest_{secrets.token_hex(10)}", "appointment": row["uid"]}


def patch_appointment(store: Store, number: int, body: Json, content_type: str) -> Json:
    """Cancel, or give another status; time, column and type cannot be changed here."""
    if content_type != "application/merge-patch+json":
        raise Refusal(415, "InvalidRequestException", "Send application/merge-patch+json.")
    row = store.row("appointment", number)
    if body.keys() - PATCHABLE:
        fields = tuple(sorted(body.keys() - PATCHABLE))
        raise Refusal(422, "InvalidParameterException", "Those cannot be changed.", fields)
    if "status_id" in body and body["status_id"] not in store.tables["appointmentstatus"]:
        raise Refusal(422, "InvalidParameterException", "There is no such status.", ("status_id",))
    values = dict(body)
    if values.pop("cancel", False):
        values["active"] = False
    store.change("appointment", row["id"], **values)
    return {"items": [{"appointment": dict(row)}]}


def availability(store: Store, query: list[tuple[str, str]], *, whole_instants: bool) -> Json:
    """Show each column's days in slots, free or not, with the types that its guides allow in them."""
    asked = [value for name, value in query if name == "resources[]"]
    days = [value for name, value in query if name == "dates[]"]
    duration = int(next((value for name, value in query if name == "duration"), "0"))
    if not 1 <= len(asked) <= 5 or not 1 <= len(days) <= 7 or not 10 <= duration <= 360 or duration % 5:
        raise Refusal(422, "InvalidParameterException", "At most 5 resources, 7 dates, 10 to 360 minutes.")
    only_free = ("filter[slots.available][eq]", "true") in query
    data = []
    for uid in asked:
        column = store.by_uid("resource", uid)["id"]
        for day in days:
            slots = _slots(store, column, date.fromisoformat(day), duration, whole_instants=whole_instants)
            attributes = {
                "date": day,
                "timezone": store.zone.key,
                "slots": [slot for slot in slots if slot["available"] or not only_free],
            }
            resource = {"type": "resource", "id": uid}
            data.append(
                {
                    "id": f"resourceAvailability_{column}_{day}",
                    "type": "resourceAvailability",
                    "attributes": attributes,
                    "relationships": {"resource": {"data": resource} if whole_instants else resource},
                }
            )
    return {"data": data}


def _slots(store: Store, column: int, day: date, duration: int, *, whole_instants: bool) -> list[Json]:
    guides = [one for one in store.guides if one.resource == column and one.weekday == day.weekday()]
    taken = _taken(store, [column])
    slots = []
    for minute in range(DAY_OPENS, DAY_CLOSES, SLOT_STEP):
        local = datetime(day.year, day.month, day.day, tzinfo=store.zone) + timedelta(minutes=minute)
        types = sorted({kind for one in guides if one.opens <= minute < one.closes for kind in one.types})
        shown = local.isoformat(timespec="milliseconds")
        slots.append(
            {
                "start": shown if whole_instants else shown.split("T")[1],
                "duration": duration,
                "available": not _meets(taken, local, duration),
                "relationships": {
                    "appointmentType": {
                        "data": [
                            {"type": "appointmentType", "id": store.row("appointmenttype", kind)["uid"]}
                            for kind in types
                        ]
                    }
                },
            }
        )
    return slots


def _reference(store: Store, kind: int) -> Json:
    return {"type": "appointmentType", "id": store.row("appointmenttype", kind)["uid"]}


def _taken(store: Store, columns: list[int]) -> list[tuple[int, int]]:
    """Return when any of the columns is in use, in epoch seconds."""
    unit = 60 if store.minutes_of_appointments else 1
    return [
        (row["start_at"], row["start_at"] + row["duration"] * unit)
        for row in store.tables["appointment"].values()
        if row["active"] and any(used["id"] in columns for used in row["resources"])
    ]


def _meets(taken: list[tuple[int, int]], start: datetime, minutes: int) -> bool:
    opens = start.timestamp()
    return any(begins < opens + minutes * 60 and opens < ends for begins, ends in taken)


def _require(body: Json, *names: str) -> None:
    missing = tuple(name for name in names if body.get(name) in (None, ""))
    if missing:
        raise Refusal(422, "InvalidParameterException", "Some fields are missing.", missing)


def _made(table: str, row: Row) -> Json:
    """Answer a creation: as integrators report, without the uid, which has to be read."""
    shown = {name: value for name, value in as_v1(row).items() if name != "uid"}
    return {"items": [{table: shown}]}
