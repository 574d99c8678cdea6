"""What adapters promise about clients, patients and conversations."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from pims_adapters.contract import (
    Client,
    ConversationDraft,
    CreatesClients,
    ExportsConversations,
    FindsClients,
    Patient,
)
from tests.pims_adapters.peers import SystemPeer
from tests.pims_adapters.promises.made import Everything, promise


async def created_client(peer: SystemPeer, adapter: Everything, key: str) -> str:
    """Create a client and return its pims_id when it shows."""
    returned = await adapter.create_client(peer.client_draft(), key)
    await peer.settle()
    found = await adapter.find("client", key)
    assert found is not None
    assert returned in (None, found)
    return found


async def created_patient(peer: SystemPeer, adapter: Everything, client: str, key: str) -> str:
    """Create a patient and return its pims_id when it shows."""
    returned = await adapter.create_patient(peer.patient_draft(client), key)
    await peer.settle()
    found = await adapter.find("patient", key)
    assert found is not None
    assert returned in (None, found)
    return found


@promise(CreatesClients)
async def a_client_and_a_patient_are_created_found_and_read_back(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    other_key = peer.key()
    wanted = peer.client_draft()
    pims_id = await created_client(peer, adapter, key)
    client = await adapter.read("client", pims_id)
    assert isinstance(client, Client)
    assert (client.pims_id, client.marker, client.active) == (pims_id, key, True)
    assert (client.given_name, client.family_name) == (wanted.given_name, wanted.family_name)
    digits = {"".join(char for char in phone if char.isdigit())[-10:] for phone in client.phones}
    assert not wanted.phone or wanted.phone[-10:] in digits
    assert not wanted.email or wanted.email in client.emails
    assert await peer.count("client", key) == 1

    pet = peer.patient_draft(pims_id)
    patient = await adapter.read("patient", await created_patient(peer, adapter, pims_id, other_key))
    assert isinstance(patient, Patient)
    assert (patient.client, patient.name, patient.species, patient.sex) == (pims_id, pet.name, pet.species, pet.sex)
    assert (patient.status, patient.marker) == ("active", other_key)
    assert await peer.count("patient", other_key) == 1


@promise(CreatesClients)
async def clients_and_patients_that_are_not_there_are_absent(_peer: SystemPeer, adapter: Everything) -> None:
    for kind in ("client", "patient"):
        assert await adapter.find(kind, "nobody's key") is None
        assert await adapter.read(kind, "none") is None
        assert await adapter.read(kind, "../x") is None


@promise(CreatesClients)
async def a_key_finds_the_kind_it_was_given_to(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    await created_client(peer, adapter, key)
    assert await adapter.find("patient", key) is None
    assert await adapter.find("appointment", key) is None


@promise(CreatesClients, FindsClients)
async def clients_are_found_by_phone_and_by_email(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    wanted = peer.client_draft()
    pims_id = await created_client(peer, adapter, key)
    for phone, email in ((wanted.phone, None), (None, wanted.email), (wanted.phone, wanted.email)):
        assert pims_id in {client.pims_id for client in await adapter.find_clients(phone=phone, email=email)}
    assert await adapter.find_clients(phone="+12125550000", email=None) == []
    assert await adapter.find_clients(phone=None, email="nobody@example.com") == []


@promise(CreatesClients, ExportsConversations)
async def a_conversation_is_kept_and_found_by_its_key(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    other_key = peer.key()
    key2 = peer.key()
    client = await created_client(peer, adapter, key)
    said = ConversationDraft(
        client=client,
        patient=None,
        title="Conversation of May 4",
        text="09:01 Client: Is the limp bad?\n09:02 Practice: Come by.",
        ended=datetime(2027, 5, 4, 9, 2, tzinfo=UTC),
    )
    returned = await adapter.export_conversation(said, other_key)
    await peer.settle()
    found = await adapter.find_conversation(other_key)
    assert found is not None
    assert returned in (None, found)
    assert await adapter.find_conversation("nobody's key") is None
    other = await adapter.export_conversation(replace(said, title="Another"), key2)
    await peer.settle()
    assert await adapter.find_conversation(key2) != found
    assert other != found or other is None
