"""Write-back of conversations: they are kept with the patient's records in the PIMS, once, where it takes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from booking.db import conversations, write_backs
from booking.db.conversations import Said, ToExport
from booking.db.pool import Pool, at_one_instant, of_practice
from booking.db.write_backs import WriteBack
from booking.local_days import spoken_time
from booking.write_back_creations import waits_for
from booking.write_back_outcomes import (
    LeaseLost,
    Outcome,
    Postponed,
    Stuck,
    Superseded,
    Written,
    never_shown,
    still_to_be_shown,
)
from pims_adapters import contract as pims

WHO = {"booking": "Booking", "practice": "Practice", "client": "Client"}
BY_HAND = "Please copy the conversation into the patient’s records, then mark this as done."


async def export(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack, clock: Callable[[], datetime]) -> Outcome:
    """Bring a conversation into the PIMS. Raises the adapter's errors where nothing of this try has left."""
    if not isinstance(adapter, pims.ExportsConversations):
        return Stuck(reason=f"This connection takes no conversations. {BY_HAND}", known=False)
    lag = adapter.write_lag if isinstance(adapter, pims.CreatesAppointments) else timedelta()
    first_try = leased.was == "queued" and leased.attempts == 1 and leased.sent_at is None
    if not first_try:
        if await adapter.find_conversation(leased.key) is not None:
            return Written(pims_id=None, shown=None)
        waiting = still_to_be_shown(leased, lag, clock())
        if waiting is not None:
            return waiting
        if leased.accepted:
            return never_shown("the conversation")
    async with of_practice(pool, leased.practice_id) as conn, at_one_instant(conn):
        kept = await conversations.to_export(conn, leased.practice_id, leased.subject_id)
        if kept is None:
            return Superseded(reason="The conversation is no longer in our records.")
        if kept.client is None:
            return await waits_for(conn, leased, kept.client_id, "client")
        said = await conversations.said(conn, leased.practice_id, leased.subject_id)
    async with of_practice(pool, leased.practice_id) as conn:
        if not await write_backs.note_sent(conn, leased, clock()):
            return LeaseLost()
    return await _send(adapter, leased.key, _draft(kept, kept.client, said))


async def _send(adapter: pims.ExportsConversations, key: str, draft: pims.ConversationDraft) -> Outcome:
    try:
        await adapter.export_conversation(draft, key)
    except pims.PimsRejected as refusal:
        return Stuck(reason=f"{str(refusal).rstrip('.')}. {BY_HAND}")
    except pims.PimsUnavailable as failure:
        return Postponed(reason=str(failure), known=not failure.outcome_unknown)
    except pims.PimsMisconfigured as failure:
        return Postponed(reason=str(failure), known=True)
    try:
        shown = await adapter.find_conversation(key)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=f"Sent, but not read back yet. {failure}")
    if shown is not None:
        return Written(pims_id=None, shown=None)
    return Postponed(reason="The PIMS has accepted it and shows it later.", accepted=True, expected=True)


def _draft(kept: ToExport, client: str, said: list[Said]) -> pims.ConversationDraft:
    text = "\n\n".join(
        f"{spoken_time(one.at, kept.timezone)}, {WHO[one.author]}{f' ({one.name})' if one.name else ''}:\n{one.text}"
        for one in said
    )
    return pims.ConversationDraft(client=client, patient=kept.patient, title=kept.title, text=text, ended=kept.ended)
