"""People of the seeded practice that tests and demonstrations may count on; the rest of the seed is a crowd.

Phones are what a person would type to be recognized (E.164), or None where the practice holds none that can be used.
"""

from msgspec import Struct


class Persona(Struct, frozen=True, kw_only=True):
    """A client by the PIMS's ids, with the patients that may be booked and those that may not."""

    client: str
    name: str
    phone: str | None = None
    email: str | None = None
    patients: dict[str, str]
    deceased: dict[str, str] = {}
    inactive: dict[str, str] = {}


OLIVIA_CARTER = Persona(
    client="client-carter",
    name="Olivia Carter",
    phone="+12125550101",
    email="olivia.carter@example.com",
    patients={"pat-biscuit": "Biscuit", "pat-mochi": "Mochi"},
    deceased={"pat-rusty": "Rusty"},
)
"""The plain case: a dog and a cat, and a dog that has died."""

ANA_RIVERA = Persona(
    client="client-rivera-ana",
    name="Ana Rivera",
    phone="+12125550102",
    email="ana.rivera@example.com",
    patients={"pat-coco": "Coco"},
)
LUIS_RIVERA = Persona(
    client="client-rivera-luis",
    name="Luis Rivera",
    phone="+12125550102",
    email="luis.rivera@example.com",
    patients={"pat-pepper": "Pepper"},
)
"""A couple with one phone, two emails, and a patient each."""

PRIYA_SHAH = Persona(
    client="client-shah",
    name="Priya Shah",
    email="priya.shah@example.org",
    patients={"pat-clover": "Clover"},
)
"""Only an email; a rabbit, so only the exotics provider will do."""

HAROLD_WEISS = Persona(
    client="client-weiss",
    name="Harold Weiss",
    phone="+12125550104",
    email="harold.weiss@example.net",
    patients={},
    inactive={"pat-bruno": "Bruno"},
)
"""An inactive client who left with his dog."""

MARGARET_DOYLE = Persona(
    client="client-doyle",
    name="Margaret Doyle",
    phone="+12125550105",
    email="margaret.doyle@example.com",
    patients={},
    deceased={"pat-tiger": "Tiger"},
)
"""An active client whose only cat has died."""

EMILY_STONE = Persona(
    client="client-stone",
    name="Emily Stone",
    phone="+12125550106",
    email="emily.stone@example.com",
    patients={"pat-willow": "Willow"},
)
MARK_HALL = Persona(
    client="client-hall",
    name="Mark Hall",
    phone="+12125550106",
    patients={"pat-gizmo": "Gizmo"},
)
"""Strangers with one phone: it was Emily's before it was Mark's, and nobody told the practice."""

BOB_NOWAK = Persona(
    client="client-nowak",
    name="Bob Nowak",
    patients={"pat-rex": "Rex"},
)
"""No contact that can be used: the phone is typed `555-0134 (Bob work)`, the email with a comma for its dot."""

GRACE_KIM = Persona(
    client="client-kim",
    name="Grace Kim",
    phone="+16465550108",
    email="grace.kim@example.com",
    patients={"pat-kiwi": "Kiwi", "pat-spike": "Spike", "pat-luna-kim": "Luna"},
)
"""Two phones in one field, the second with an extension; a bird, a reptile and a cat."""

PERSONAS = (
    OLIVIA_CARTER,
    ANA_RIVERA,
    LUIS_RIVERA,
    PRIYA_SHAH,
    HAROLD_WEISS,
    MARGARET_DOYLE,
    EMILY_STONE,
    MARK_HALL,
    BOB_NOWAK,
    GRACE_KIM,
)
