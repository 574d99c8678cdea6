"""What booking may ask of a practice information management system (PIMS), and what it gets back.

One folder beside this file per PIMS, found by its name. Each offers `system() -> System`, which says what it is, and
`connect(settings, relay) -> PimsAdapter`. Records carry the PIMS's own identifiers as text (`pims_id`); wall-clock
times are the practice's, instants are aware. A vendor's exceptions stop at the folder's edge: whatever goes wrong
arrives as one of the four errors below. Rate limits and how much may be asked at once are the adapter's own business.
"""

from pims_adapters.contract.abilities import ABILITIES, Ability, abilities_of
from pims_adapters.contract.adapter import (
    CancelsAppointments,
    ChangesAppointments,
    ConfirmsAppointments,
    CreatesAppointments,
    CreatesClients,
    ExportsConversations,
    FindsClients,
    ListsRecords,
    NotesArrivals,
    PimsAdapter,
)
from pims_adapters.contract.drafts import (
    AppointmentDraft,
    ClientDraft,
    ConversationDraft,
    DraftField,
    PatientDraft,
    Visitor,
)
from pims_adapters.contract.errors import (
    CursorExpired,
    PimsError,
    PimsMisconfigured,
    PimsRejected,
    PimsUnavailable,
)
from pims_adapters.contract.reading import (
    ChangePage,
    Checked,
    Feed,
    Listing,
)
from pims_adapters.contract.records import (
    Appointment,
    AppointmentType,
    BlockOff,
    Change,
    Client,
    Closure,
    DayOverride,
    Gone,
    Kind,
    Merged,
    OpenHours,
    Patient,
    PlanningRule,
    Practice,
    Record,
    RecordKind,
    RecurringTime,
    Reminder,
    Resource,
    Status,
    Vaccination,
)
from pims_adapters.contract.relay import (
    AgentSeen,
    Relay,
    RelayedPage,
)
from pims_adapters.contract.system import (
    Setting,
    System,
)

__all__ = [
    "ABILITIES",
    "Ability",
    "AgentSeen",
    "Appointment",
    "AppointmentDraft",
    "AppointmentType",
    "BlockOff",
    "CancelsAppointments",
    "Change",
    "ChangePage",
    "ChangesAppointments",
    "Checked",
    "Client",
    "ClientDraft",
    "Closure",
    "ConfirmsAppointments",
    "ConversationDraft",
    "CreatesAppointments",
    "CreatesClients",
    "CursorExpired",
    "DayOverride",
    "DraftField",
    "ExportsConversations",
    "Feed",
    "FindsClients",
    "Gone",
    "Kind",
    "Listing",
    "ListsRecords",
    "Merged",
    "NotesArrivals",
    "OpenHours",
    "Patient",
    "PatientDraft",
    "PimsAdapter",
    "PimsError",
    "PimsMisconfigured",
    "PimsRejected",
    "PimsUnavailable",
    "PlanningRule",
    "Practice",
    "Record",
    "RecordKind",
    "RecurringTime",
    "Relay",
    "RelayedPage",
    "Reminder",
    "Resource",
    "Setting",
    "Status",
    "System",
    "Vaccination",
    "Visitor",
    "abilities_of",
]
