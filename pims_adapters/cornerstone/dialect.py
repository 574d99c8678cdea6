"""Cornerstone's words and rhythm. Several times an hour the agent looks at data that may be half an hour old."""

from datetime import timedelta

from pims_adapters._agent.dialect import Dialect, Words
from pims_adapters.contract import DraftField, Feed

CORNERSTONE = Dialect(
    statuses=Words(
        booked=("Scheduled", "Unconfirmed", "Left message"),
        confirmed=("Confirmed",),
        arrived=("Checked in", "Arrived", "In room", "In exam"),
        fulfilled=("Checked out", "Completed"),
        cancelled=("Cancelled", "Canceled", "Deleted"),
        no_show=("No show", "Missed"),
    ),
    species=Words(
        dog=("Canine", "Dog"),
        cat=("Feline", "Cat"),
        rabbit=("Rabbit", "Lagomorph"),
        bird=("Avian", "Bird"),
        reptile=("Reptile", "Reptilian"),
    ),
    sexes=Words(
        male=("M", "Male"),
        male_neutered=("MN", "Neutered male", "Male neutered", "NM", "Castrated male"),
        female=("F", "Female"),
        female_spayed=("FS", "Spayed female", "Female spayed", "SF"),
    ),
    titles=Words(
        provider=("Veterinarian", "Doctor", "DVM"),
        technician=("Technician", "Vet tech", "Veterinary technician", "Assistant", "Nurse"),
    ),
    standings=Words(
        active=("Active",),
        inactive=("Inactive", "Transferred"),
        deceased=("Deceased", "Dead", "Euthanized"),
    ),
    feeds=(
        Feed(name="schedule", kinds=("blockoff", "appointment"), every=timedelta(seconds=15)),
        Feed(name="people", kinds=("client", "patient"), every=timedelta(minutes=15)),
        Feed(name="set-up", kinds=("resource", "closure", "appointmenttype"), every=timedelta(minutes=15)),
        Feed(name="medical", kinds=("vaccination", "reminder"), every=timedelta(minutes=20)),
    ),
    asks=(
        DraftField(of="client", field="given_name", required=True, longest=40),
        DraftField(of="client", field="family_name", required=True, longest=60),
        DraftField(of="client", field="address", longest=120),
        DraftField(of="client", field="city", longest=60),
        DraftField(of="client", field="postal_code", longest=20),
        DraftField(of="patient", field="name", required=True, longest=40),
        DraftField(of="patient", field="species", required=True),
        DraftField(of="patient", field="breed", longest=60),
        DraftField(of="patient", field="sex", words=("male", "male_neutered", "female", "female_spayed")),
        DraftField(of="appointment", field="description", longest=1900),
    ),
    write_lag=timedelta(minutes=3),
    longest_notes=2000,
)
