"""Abilities that a system behind an agent may have; its adapter inherits those that it has (see `contract.adapter`)."""

from __future__ import annotations

from datetime import date, timedelta
from math import ceil
from typing import ClassVar

from pims_adapters import contract
from pims_adapters._agent import protocol
from pims_adapters._agent.adapter import AgentAdapter
from pims_adapters._agent.marker import marked, marker
from pims_adapters._agent.rows import columns_of, read_rows, to_local

MOST_LISTS = 1000
LONGEST_ID = 100
LONGEST_CONVERSATION = 20_000
TABLES: dict[contract.RecordKind, tuple[protocol.Table, ...]] = {
    "resource": ("staff", "room"),
    "closure": ("closure",),
    "blockoff": ("block",),
    "appointmenttype": ("type",),
    "client": ("client",),
    "patient": ("patient",),
    "appointment": ("appointment",),
    "vaccination": ("vaccine",),
    "reminder": ("reminder",),
}
CREATIONS: dict[contract.Kind, protocol.CallName] = {
    "client": "create_client",
    "patient": "create_patient",
    "appointment": "create_appointment",
}


class Creates(AgentAdapter):
    """Clients, patients and appointments are created, found by their marker, and read back."""

    asks: ClassVar[tuple[contract.DraftField, ...]]
    write_lag: ClassVar[timedelta]

    async def create_client(self, draft: contract.ClientDraft, key: str) -> str | None:
        body = protocol.CreateClient(
            first_name=draft.given_name,
            last_name=draft.family_name,
            phone=draft.phone,
            email=draft.email,
            address=draft.address,
            city=draft.city,
            postal_code=draft.postal_code,
            notes=marker(key),
        )
        return (await self.line.ask("create_client", body, protocol.Created, key=key)).id

    async def create_patient(self, draft: contract.PatientDraft, key: str) -> str | None:
        body = protocol.CreatePatient(
            client=draft.client,
            name=draft.name,
            species=self.dialect.species.theirs(draft.species),
            breed=draft.breed,
            sex=self.dialect.sexes.theirs(draft.sex),
            birth_date=draft.birth_date,
            notes=marker(key),
        )
        return (await self.line.ask("create_patient", body, protocol.Created, key=key)).id

    async def create_appointment(self, draft: contract.AppointmentDraft, key: str) -> str | None:
        if draft.client is None or draft.patient is None:
            raise contract.PimsRejected("This system keeps no appointment without its client and patient.")
        staff, room = columns_of(draft.resources)
        if not (staff or room):
            raise contract.PimsRejected("None of the columns is one of this system's.")
        body = protocol.CreateAppointment(
            client=draft.client,
            patient=draft.patient,
            type=draft.appointment_type,
            starts=to_local(draft.start, await self.line.zone()),
            minutes=ceil((draft.end - draft.start) / timedelta(minutes=1)),
            staff=staff,
            room=room,
            notes=marked(key, draft.description, self.dialect.longest_notes),
            author=self.author,
        )
        return (await self.line.ask("create_appointment", body, protocol.Created, key=key)).id

    async def find(self, kind: contract.Kind, key: str) -> str | None:
        """Look by the marker. Where there is nothing, what was sent so long ago is known not to have happened."""
        body = protocol.Find(table=kind, marker=marker(key))
        found = (await self.line.ask("find", body, protocol.Created)).id
        if found is None:
            await self.line.relay.settle(CREATIONS[kind], key, lag=self.write_lag)
        return found

    async def read(
        self, kind: contract.Kind, pims_id: str
    ) -> contract.Client | contract.Patient | contract.Appointment | None:
        if not 0 < len(pims_id) <= LONGEST_ID:
            return None
        answer = await self.line.ask("read", protocol.Read(table=kind, id=pims_id), protocol.Rows)
        for record in read_rows(answer.rows, self.dialect, await self.line.zone()):
            if isinstance(record, contract.Client | contract.Patient | contract.Appointment):
                return record if record.pims_id == pims_id else None
        return None


class FindsPeople(AgentAdapter):
    """The system looks clients up by phone and email."""

    async def find_clients(self, *, phone: str | None, email: str | None) -> list[contract.Client]:
        answer = await self.line.ask("find_clients", protocol.FindClients(phone=phone, email=email), protocol.Rows)
        found = read_rows(answer.rows, self.dialect, await self.line.zone())
        return [one for one in found if isinstance(one, contract.Client) and one.active]


class Lists(AgentAdapter):
    """The system can be asked for all that it holds of a kind."""

    async def listing(self, kind: contract.RecordKind, first: date, last: date) -> contract.Listing:
        seen, zone = await self.line.seen(), await self.line.zone()
        records: list[contract.Change] = []
        complete, as_of = bool(TABLES.get(kind)), seen.at
        for table in TABLES.get(kind, ()):
            after = None
            for _ in range(MOST_LISTS):
                body = protocol.ListRows(table=table, first=first, last=last, after=after)
                answer = await self.line.ask("list", body, protocol.Rows)
                records += read_rows(answer.rows, self.dialect, zone)
                complete = complete and answer.complete
                as_of = min(as_of, answer.as_of - seen.skew) if answer.as_of is not None else as_of
                after = answer.next
                if after is None:
                    break
            complete = complete and after is None
        # What is inactive counts as gone: it is not listed.
        listed: list[contract.Change] = [one for one in records if not isinstance(one, contract.Gone | contract.Merged)]
        return contract.Listing(records=listed, complete=complete, as_of=as_of)


class Confirms(AgentAdapter):
    """An appointment is marked as confirmed, in the name of whoever writes for us."""

    async def confirm_appointment(self, pims_id: str, key: str) -> None:
        body = protocol.SetStatus(id=pims_id, status=self.dialect.statuses.theirs("confirmed"), author=self.author)
        await self.line.ask("confirm_appointment", body, protocol.Done, key=key)


class Exports(AgentAdapter):
    """A conversation becomes an attachment of a medical note, which needs an author."""

    async def export_conversation(self, draft: contract.ConversationDraft, key: str) -> str | None:
        if self.author is None:
            raise contract.PimsMisconfigured(
                "Notes in this system have an author: choose who exports conversations in the connection's settings."
            )
        body = protocol.ExportConversation(
            client=draft.client,
            patient=draft.patient,
            title=draft.title[:200],
            text=_whole_or_cut(draft.text),
            ended=draft.ended,
            author=self.author,
            marker=marker(key),
        )
        return (await self.line.ask("export_conversation", body, protocol.Created, key=key)).id

    async def find_conversation(self, key: str) -> str | None:
        found = (await self.line.ask("find_conversation", protocol.Find(marker=marker(key)), protocol.Created)).id
        if found is None:
            await self.line.relay.settle("export_conversation", key, lag=self.dialect.write_lag)
        return found


def _whole_or_cut(text: str) -> str:
    rest = "\n… The conversation goes on; the whole of it is kept with us."
    return text if len(text) <= LONGEST_CONVERSATION else text[: LONGEST_CONVERSATION - len(rest)] + rest
