"""Mapping: what is ignored never enters, species read in our words, and old visits are left where they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from booking.connect.mapping import ImportSettings, Link, Mapping, in_their_words, mapped, outside
from pims_adapters import contract as pims

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WINDOW = ImportSettings(timezone="America/New_York", days_back=30)
MAPPING = Mapping(
    resources=(Link(pims_id="gone-room", becomes="ignored"),),
    types=(Link(pims_id="old-type", becomes="ignored"),),
    species={"Canine": "dog", "CANINE LARGE": "dog", "Feline": "cat"},
)


def patient(species: str) -> pims.Patient:
    return pims.Patient(pims_id="p", client="c", name="Rex", species=species)


def visit(days: float) -> pims.Appointment:
    start = NOW + timedelta(days=days)
    return pims.Appointment(pims_id="a", start=start, end=start + timedelta(hours=1), resources=("prov-lee",))


def test_an_ignored_column_or_type_never_enters_the_mirror() -> None:
    kept = pims.Resource(pims_id="room-1", name="Room 1", resource_kind="room")
    changes: list[pims.Change] = [
        pims.Resource(pims_id="gone-room", name="Old", resource_kind="room"),
        pims.AppointmentType(pims_id="old-type", name="Old", duration=timedelta(minutes=15)),
        kept,
    ]
    assert list(mapped(changes, MAPPING)) == [kept]


def test_species_read_in_our_words_and_an_unknown_word_stays() -> None:
    assert list(mapped([patient("Feline"), patient("Ferret")], MAPPING)) == [patient("cat"), patient("Ferret")]


def test_a_species_is_written_in_the_one_word_of_the_pims_that_means_it() -> None:
    cat = pims.PatientDraft(client="c", name="Mo", species="cat")
    assert in_their_words(cat, MAPPING).species == "Feline"
    dog = pims.PatientDraft(client="c", name="Rex", species="dog")
    assert in_their_words(dog, MAPPING) == dog  # two of theirs mean it: we do not choose
    assert in_their_words(dog, Mapping()) == dog


def test_what_is_older_than_the_window_is_not_taken_over_and_what_is_to_come_always_is() -> None:
    assert [outside(visit(days), WINDOW, NOW) for days in (-31, -29, 89, 4000)] == [True, False, False, False]
    assert not outside(visit(-4000), None, NOW)
