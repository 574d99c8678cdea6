"""The booking pages: one module per step a client takes, each complete without scripts."""

from __future__ import annotations

from litestar import Router

from booking.change import MovedTooOften, NoLongerChangeable, TooLate
from booking.offers import NotBookableOnline
from booking.policies import Refused
from widget.book import ask, change, check, choose, pet, questions, times, visit, waitlist, who
from widget.book.shell import (
    PROVIDED,
    PROVIDED_IN_FLOW,
    FlowEnded,
    GoElsewhere,
    flow_ended,
    go_elsewhere,
    not_bookable_online,
    refused,
)

router = Router(
    "/",
    route_handlers=[
        choose.choose,
        choose.choose_type,
        choose.change_type_page,
        choose.change_type,
        times.times_by_link,
        times.hold_by_link,
        times.times,
        times.hold_time,
        times.taken,
        who.who,
        who.ask_for_code,
        who.code,
        who.enter_code,
        who.send_again,
        pet.pet,
        pet.choose_pet,
        pet.details,
        pet.enter_details,
        questions.questions,
        questions.answer_questions,
        check.check,
        check.confirm,
        check.keep_longer,
        visit.visit,
        visit.visit_file,
        change.confirm,
        change.ask_to_cancel,
        change.cancel,
        change.choose_new_time,
        change.move,
        waitlist.wait_by_link,
        waitlist.wait_in_flow,
        waitlist.wait,
        waitlist.join_waitlist,
        waitlist.offered,
        waitlist.take,
        waitlist.let_go,
        waitlist.stop_waiting,
        ask.ask,
        ask.send_request,
        ask.request_sent,
        ask.ask_in_flow,
        ask.send_request_in_flow,
    ],
    dependencies={**PROVIDED, **PROVIDED_IN_FLOW},
    exception_handlers={
        FlowEnded: flow_ended,
        GoElsewhere: go_elsewhere,
        NotBookableOnline: not_bookable_online,
        Refused: refused,
        TooLate: change.too_late,
        MovedTooOften: change.too_late,
        NoLongerChangeable: change.too_late,
    },
)
