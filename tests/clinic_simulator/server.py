"""The simulated PIMS behind HTTP: addresses to functions, JSON in and out, and the faults that were ordered.

Everything happens in one thread, one request after the other, so that what happens depends on their order only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from time import monotonic, process_time
from typing import TypeVar

import msgspec

from pims_adapters._agent.protocol import AnyRow, FindClients
from tests.clinic_simulator import agent_face, control
from tests.clinic_simulator.agent_face import WRITES
from tests.clinic_simulator.faults import Faults, Order
from tests.clinic_simulator.http import Answer, Request
from tests.clinic_simulator.staff import ACTIONS
from tests.clinic_simulator.store import Advance, Refused, Store

T = TypeVar("T")


class Clinic:
    """One running simulator."""

    def __init__(self, store: Store, *, real_time: bool = False) -> None:
        self.store = store
        self.faults = Faults(store.seed)
        self._began = (store.now, monotonic()) if real_time else None

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            if self._began is not None:
                start, tick = self._began
                control.advance(self.store, Advance(to=start + timedelta(seconds=monotonic() - tick)))
            return self._routed(request)
        except Refused as refused:
            return _refused(refused)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            return _refused(Refused(422, "invalid", str(error)))

    def _routed(self, request: Request) -> Answer:
        face, _, call = request.path.strip("/").partition("/")
        if face == "agent":
            return self._agent(call, request)
        if face == "staff" and call in ACTIONS:
            return self._staff(call, request)
        if face == "control" and (act := CONTROL.get((request.method, call))):
            return Answer(body=msgspec.json.encode(act(self, request)))
        raise Refused(404, "no_such_path", f"There is nothing at {request.method} {request.path}.")

    def _staff(self, name: str, request: Request) -> Answer:
        type_, act = ACTIONS[name]
        action = msgspec.json.decode(request.body, type=type_)
        try:
            done = act(self.store, action)
        except Refused as refused:
            self.store.note("staff", name, action, f"refused: {refused.code}")
            raise
        self.store.catch_up()
        self.store.note("staff", name, action, done)
        return Answer(body=msgspec.json.encode({"id": done}))

    # The agent's face, where faults strike

    def _agent(self, call: str, request: Request) -> Answer:
        if (call in READS) == (call in WRITES):
            raise Refused(404, "no_such_path", f"There is nothing at {request.method} {request.path}.")
        fault = self.faults.take(call)
        if fault is None:
            return self._act(call, request)
        self.store.note("fault", fault.fault, call, "")
        if fault.fault == "refused":
            code = "taken" if fault.taken else "refused"
            raise Refused(409, code, "Refused on request.")
        if fault.fault == "reset_before_commit":
            return Answer(sent="nothing")
        try:
            answer = self._act(call, request, fault)
        except Refused as refused:
            answer = _refused(refused)
        if fault.fault == "reset_after_commit":
            return Answer(sent="nothing")
        if fault.fault == "answer_lost":
            return Answer(sent="nothing", after=fault.seconds)
        if fault.fault == "slow":
            return msgspec.structs.replace(answer, after=fault.seconds)
        if fault.fault == "half_page" and not fault.lying:
            return msgspec.structs.replace(answer, sent="half")
        return answer

    def _act(self, call: str, request: Request, fault: Order | None = None) -> Answer:
        if call in WRITES:
            return self._write(call, request.body)
        found = READS[call](self, request)
        if isinstance(found, agent_face.Changes | agent_face.Listed) and fault is not None:
            found = self._spoiled(found, fault, request)
        return Answer(body=self._encoded(found))

    def _write(self, call: str, body: bytes) -> Answer:
        told = msgspec.Raw(body)
        try:
            id_ = agent_face.write(self.store, call, body)
        except Refused as refused:
            self.store.note("agent", call, told, f"refused: {refused.code}")
            raise
        self.store.catch_up()
        self.store.note("agent", call, told, id_ or "accepted")
        return Answer(body=msgspec.json.encode({"id": id_}))

    def _spoiled(
        self, found: agent_face.Changes | agent_face.Listed, fault: Order, request: Request
    ) -> agent_face.Changes | agent_face.Listed:
        """Return a page as the fault has it."""
        rows: tuple[AnyRow, ...] = found.rows
        if fault.fault == "half_page" and fault.lying:
            rows = rows[: len(rows) // 2]
        elif fault.fault == "out_of_order_times":
            return msgspec.structs.replace(found, rows=rows[::-1], age_seconds=found.age_seconds + fault.seconds)
        elif fault.fault == "duplicate_page":
            after = agent_face.position(self.store, request.query.get("after"))
            tables = request.query["tables"].split(",")
            earlier, _ = self.store.changes(tables, 0, 1_000_000)
            earlier = [entry for entry in earlier if entry.sequence <= after][-fault.rows :]
            rows = (*agent_face.once_each(earlier), *rows, *rows[: fault.rows])
        return msgspec.structs.replace(found, rows=rows)

    def _encoded(self, found: object) -> bytes:
        encoded = msgspec.json.encode(found)
        wrong = self.store.settings.encoding
        return encoded if wrong == "utf-8" else encoded.decode().encode(wrong, errors="replace")


def _changes(clinic: Clinic, request: Request) -> object:
    query = request.query
    most = int(query.get("most", "500"))
    return agent_face.changes(clinic.store, query["tables"].split(","), query.get("after"), most)


def _list(clinic: Clinic, request: Request) -> object:
    first, last = (date.fromisoformat(request.query[name]) for name in ("first", "last"))
    most = int(request.query.get("most", "500"))
    return agent_face.listing(
        clinic.store, request.query["table"], first, last, after=request.query.get("after"), most=most
    )


def _find_clients(clinic: Clinic, request: Request) -> object:
    wanted = msgspec.json.decode(request.body, type=FindClients)
    return agent_face.find_clients(clinic.store, wanted.phone, wanted.email)


READS: dict[str, Callable[[Clinic, Request], object]] = {
    "about": lambda clinic, _: agent_face.about(clinic.store),
    "changes": _changes,
    "list": _list,
    "find": lambda clinic, request: {
        "id": agent_face.find(clinic.store, request.query["table"], request.query["marker"])
    },
    "read": lambda clinic, request: agent_face.read(clinic.store, request.query["table"], request.query["id"]),
    # Asked in a body, as a phone is nothing for an address.
    "find_clients": _find_clients,
    "find_conversation": lambda clinic, request: {
        "id": agent_face.find_conversation(clinic.store, request.query["marker"])
    },
}


def _advance(clinic: Clinic, request: Request) -> object:
    now: datetime = control.advance(clinic.store, msgspec.json.decode(request.body, type=Advance))
    clinic.store.note("control", "advance", None, "")
    return {"now": now}


def _order(clinic: Clinic, request: Request) -> object:
    return control.order(clinic.store, clinic.faults, msgspec.json.decode(request.body, type=Order))


def _settings(clinic: Clinic, request: Request) -> object:
    return control.settle(clinic.store, msgspec.json.decode(request.body, type=dict[str, object]))


def _reset_faults(clinic: Clinic, _: Request) -> object:
    clinic.faults.reset()
    return []


def _back_up(clinic: Clinic, request: Request) -> object:
    name = msgspec.json.decode(request.body, type=dict[str, str])["name"]
    clinic.store.back_up(name)
    return {"name": name}


CONTROL: dict[tuple[str, str], Callable[[Clinic, Request], object]] = {
    ("GET", "now"): lambda clinic, _: {"now": clinic.store.now},
    ("POST", "advance"): _advance,
    ("POST", "faults"): _order,
    ("GET", "faults"): lambda clinic, _: clinic.faults.pending(),
    ("DELETE", "faults"): _reset_faults,
    ("POST", "settings"): _settings,
    ("POST", "backups"): _back_up,
    ("GET", "cpu"): lambda _clinic, _request: {"seconds": process_time()},
    ("GET", "state"): lambda clinic, _: control.state(clinic.store),
    ("GET", "trace"): lambda clinic, request: control.trace(clinic.store, int(request.query.get("after", "0"))),
}


def _refused(refused: Refused) -> Answer:
    return Answer(status=refused.status, body=msgspec.json.encode({"error": refused.code, "reason": refused.reason}))
