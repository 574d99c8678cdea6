"""AVImark's words and rhythm: the schedule and its people within five minutes, the rest several times an hour."""

from datetime import timedelta

from pims_adapters._agent.dialect import Dialect, Words
from pims_adapters.contract import DraftField, Feed

AVIMARK = Dialect(
    statuses=Words(
        booked=("Scheduled", "Unconfirmed", "Pending"),
        confirmed=("Confirmed",),
        arrived=("Checked in", "Arrived", "In"),
        fulfilled=("Completed", "Checked out", "Out", "Done"),
        # A reservation that was rescheduled is free: the new one stands beside it.
        cancelled=("Cancelled", "Canceled", "Rescheduled"),
        no_show=("No show", "Missed"),
    ),
    species=Words(
        dog=("CANINE", "Dog"),
        cat=("FELINE", "Cat"),
        rabbit=("RABBIT", "Lagomorph"),
        bird=("AVIAN", "Bird"),
        reptile=("REPTILE",),
    ),
    sexes=Words(
        male=("M", "Male"),
        male_neutered=("N", "MN", "Neutered", "Neutered male"),
        female=("F", "Female"),
        female_spayed=("S", "FS", "Spayed", "Spayed female"),
    ),
    titles=Words(
        provider=("Doctor", "Veterinarian", "DVM"),
        technician=("Technician", "Tech", "Assistant", "Nurse"),
    ),
    standings=Words(
        active=("Active",),
        inactive=("Inactive",),
        deceased=("Deceased", "Dead"),
    ),
    feeds=(
        Feed(name="schedule", kinds=("blockoff", "appointment"), every=timedelta(seconds=15)),
        Feed(name="people", kinds=("client", "patient"), every=timedelta(minutes=2)),
        Feed(name="set-up", kinds=("resource", "closure", "appointmenttype"), every=timedelta(minutes=5)),
        Feed(name="medical", kinds=("vaccination", "reminder"), every=timedelta(minutes=20)),
    ),
    asks=(
        DraftField(of="client", field="given_name", required=True, longest=30),
        DraftField(of="client", field="family_name", required=True, longest=40),
        DraftField(of="client", field="address", longest=80),
        DraftField(of="client", field="city", longest=40),
        DraftField(of="client", field="postal_code", longest=15),
        DraftField(of="patient", field="name", required=True, longest=30),
        DraftField(of="patient", field="species", required=True),
        DraftField(of="patient", field="breed", longest=40),
        DraftField(of="patient", field="sex", words=("male", "male_neutered", "female", "female_spayed")),
        DraftField(of="appointment", field="description", longest=1900),
    ),
    write_lag=timedelta(minutes=3),
    longest_notes=2000,
)
