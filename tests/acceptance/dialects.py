"""How each kind of source tells a scene: its entry in sources.yml, its records, what it does not know.

To add a kind: a `Dialect` in `DIALECTS`. README.md beside this file says what its fields mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from callhouse.simulate.amazon_connect import EXIT_ATTRIBUTE, AmazonConnect
from callhouse.simulate.asterisk_cdr import TRUNK, AsteriskCdr
from callhouse.simulate.centre import Agent, Call, Visit
from callhouse.simulate.freeswitch import FreeSwitch
from callhouse.simulate.genesys_cloud import GenesysCloud
from callhouse.simulate.knowledge import KNOWLEDGE, RING, Knowledge
from callhouse.simulate.knowledge import OPEN as OPEN_CONTACTS
from callhouse.simulate.observers import Observer
from callhouse.simulate.plan import Clock

from . import records
from .records import Form, Record
from .scenes import CALLBACK_KEY, CLOCK, Duty, Notebook, Scene

NO_DELETIONS = "the system states no deletions: what it once told stays told"

# Traits of a call that not every kind can tell.
OPEN = "goes on when the data ends"
ONWARD = "left a queue for another one without an agent"
SEVERAL = "was in several queues"
MISSED = "was missed by an agent"

Told = dict[str, list[Record]]


@dataclass(frozen=True)
class Dialect:
    """A kind of source in the acceptance tests.

    Attributes:
        entries: sources.yml for a source of a name; the source whose contacts are told has that very name.
        tell: the records of a scene and the calls it can tell, in the order they are told, by raw table
            (``<source>__<stream>``) with ``{}`` for the source's name.
        forms: how records of each of these become files.
        cannot_tell: traits of calls that its records cannot express, each with the reason; they are left out.
        knowledge: what the simulator's truth holds of what its system knows.
        silent: columns of that truth (``<mart>.<column>`` or of every mart) it says nothing of, with reasons.
        tells_shifts: whether it knows when agents were logged in.
        earlier: makes of a record an earlier version of it, which the record then corrects, by raw table.
        are_versions_stated: whether records say which version is newer; else the one loaded last counts.
        withdrawn: makes of a record one that takes it back, by raw table.
        skips: demands that it need not meet, each with the reason.
    """

    kind: str
    entries: Callable[[str], dict[str, Any]]
    tell: Callable[[Scene, list[Call]], Told]
    forms: dict[str, Form]
    cannot_tell: dict[str, str] = field(default_factory=dict)
    knowledge: Knowledge = KNOWLEDGE["asterisk_queue_log"]
    silent: dict[str, str] = field(default_factory=dict)
    tells_shifts: bool = True
    earlier: dict[str, Callable[[Record], Record]] = field(default_factory=dict)
    are_versions_stated: bool = False
    withdrawn: dict[str, Callable[[Record], Record]] = field(default_factory=dict)
    skips: dict[str, str] = field(default_factory=dict)

    def calls_of(self, scene: Scene) -> list[Call]:
        """The calls of a scene that it can tell."""
        return [call for call in scene.calls if not self.cannot_tell.keys() & set(traits(call))]


def traits(call: Call) -> Iterator[str]:
    if not call.ended_at:
        yield OPEN
    if any(visit.outcome == "flowed_out" for visit in call.visits[:-1]):
        yield ONWARD
    if len(call.visits) > 1:
        yield SEVERAL
    if any(not leg.is_answered for visit in call.visits for leg in visit.legs):
        yield MISSED


def _watch(scene: Scene, calls: list[Call], system: Any, clock: Clock = CLOCK) -> Notebook:
    """What one of the simulator's telephone systems writes of a scene."""
    book = Notebook()
    scene.shown_to(system(scene.plan, clock, book), calls)
    return book


# -- Asterisk ----------------------------------------------------------------------------------------------


def _queue_log_entry(name: str) -> dict[str, Any]:
    return {
        name: {
            "kind": "asterisk_queue_log",
            "callback_keys": [CALLBACK_KEY],
            "streams": {"queue_log": {"files": [f"{name}__queue_log/*"]}},
        }
    }


class _QueueLog(Observer):
    """Writes the lines that agents cause."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self._ringing: dict[Visit, int] = {}

    def ringing(self, at: int, agent: Agent, visit: Visit) -> None:
        self._ringing[visit] = at

    def unreachable(self, at: int, agent: Agent, visit: Visit) -> None:
        self._write(at, agent, visit, "RINGNOANSWER|0")

    def stopped_ringing(self, at: int, agent: Agent, visit: Visit, *, is_missed: bool) -> None:
        event = "RINGNOANSWER" if is_missed else "RINGCANCELED"
        self._write(at, agent, visit, f"{event}|{(at - self._ringing[visit]) * 1000}")

    def connected(self, at: int, agent: Agent, visit: Visit) -> None:
        channel = f"{visit.call.contact_id}9"
        self._write(at, agent, visit, f"CONNECT|{visit.wait}|{channel}|{at - self._ringing[visit]}")

    def hung_up(self, at: int, agent: Agent, visit: Visit, free_at: int) -> None:
        leg = visit.legs[-1]
        event = "COMPLETEAGENT" if leg.hung_up_by == "agent" else "COMPLETECALLER"
        if leg.transfer_target:
            event = f"BLINDTRANSFER|{leg.transfer_target}|from-queue"
        self._write(at, agent, visit, f"{event}|{visit.wait}|{leg.talk}|1")

    def _write(self, at: int, agent: Agent, visit: Visit, event: str) -> None:
        place = f"{visit.call.contact_id}|{visit.queue.queue_id}"
        self.lines.append((at, f"{place}|Agent/{agent.person.agent_id}|{event}"))


def _queue_log(scene: Scene, calls: list[Call]) -> Told:
    log = _QueueLog()
    scene.shown_to(log, calls)
    found = [line for call in calls for line in _caller_lines(call)] + log.lines
    found += [line for duty in scene.duties for line in _duty_lines(duty)]
    found.sort(key=lambda line: line[0])
    return {"{}__queue_log": [[str(at), *text.split("|")] for at, text in found]}


def _caller_lines(call: Call) -> Iterator[tuple[int, str]]:
    for visit in call.visits:
        place = f"{call.contact_id}|{visit.queue.queue_id}|NONE"
        yield visit.entered_at, f"{place}|ENTERQUEUE||{call.arrival.phone}|1"
        if visit.wait is not None and visit.outcome != "answered":
            key = CALLBACK_KEY if visit.outcome == "called_back" else "*"
            event = {"abandon": "ABANDON", "timeout": "EXITWITHTIMEOUT", "empty": "EXITEMPTY"}.get(
                visit.leave_kind, f"EXITWITHKEY|{key}"
            )
            yield visit.entered_at + visit.wait, f"{place}|{event}|1|1|{visit.wait}"


def _duty_lines(duty: Duty) -> Iterator[tuple[int, str]]:
    agent = f"Agent/{duty.agent.person.agent_id}"
    yield duty.login, f"NONE|NONE|{agent}|AGENTLOGIN|PJSIP/1"
    for begin, end, reason in duty.breaks:
        for at, event in ((begin, "PAUSE"), (end, "UNPAUSE")):
            yield at, f"NONE|NONE|{agent}|{event}ALL|"
            yield at, f"NONE|sales|{agent}|{event}|{reason}"
    yield duty.logoff, f"NONE|NONE|{agent}|AGENTLOGOFF|PJSIP/1|{duty.logoff - duty.login}"


def _beside_a_queue_log(stream: str) -> dict[str, Any]:
    """What is common to the two kinds of records that Asterisk keeps beside its queue_log."""
    table = "{}_" + stream + "__" + stream

    def entries(name: str) -> dict[str, Any]:
        return _queue_log_entry(name) | {
            f"{name}_{stream}": {
                "kind": f"asterisk_{stream}",
                "queue_log_source": name,
                "trunks": [TRUNK],
                "time_zone": "UTC",
                "streams": {stream: {"files": [f"{name}_{stream}__{stream}/*"], "header": True}},
            }
        }

    def tell(scene: Scene, calls: list[Call]) -> Told:
        book = _watch(scene, calls, AsteriskCdr, Clock("UTC"))
        return _queue_log(scene, calls) | {table: book.rows(f"asterisk/{stream}")}

    return {
        "kind": f"asterisk_{stream}",
        "entries": entries,
        "tell": tell,
        "forms": {"{}__queue_log": records.lines, table: records.rows},
        "knowledge": KNOWLEDGE["asterisk_cdr"],
        "skips": {
            "corrected": "Asterisk writes a record once, when it is over, and never again",
            "deleted": NO_DELETIONS,
        },
    }  # fmt: skip


# -- one row per call ----------------------------------------------------------------------------------------

CALL_COLUMNS = (
    "call_no", "started", "queue", "wait", "outcome", "reason", "agent", "answered", "ended", "talk",
    "other_seconds", "hung_up", "updated",
)  # fmt: skip


CALL_LIST = Knowledge(
    {**KNOWLEDGE["asterisk_queue_log"].unknown, RING: "no column says when, or how long, it rang"}
)


def _call_rows(scene: Scene, calls: list[Call]) -> Told:
    """A row per call, written when it is over."""

    def text(at: int | None) -> str:
        return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"

    found = []
    for call in sorted(calls, key=lambda call: call.ended_at):
        (visit,) = call.visits
        leg = visit.legs[-1] if visit.legs else None
        assert visit.wait is not None
        found.append((
            call.contact_id, text(visit.entered_at), visit.queue.queue_id, str(visit.wait), visit.outcome,
            visit.reason, leg.agent_id if leg else "", text(visit.entered_at + visit.wait if leg else None),
            text(call.ended_at), str(leg.talk if leg else 0), "0", leg.hung_up_by if leg else "",
            text(call.ended_at + 60),
        ))  # fmt: skip
    return {"{}__calls": [dict(zip(CALL_COLUMNS, row, strict=True)) for row in found]}


def _call_list(
    kind: str, options: Callable[[str], dict[str, Any]], stream: Callable[[str], dict[str, Any]]
) -> Dialect:
    """A list of calls, however it comes."""
    seconds = dict.fromkeys(("hold_seconds", "after_call_seconds"), "other_seconds")
    mapping = {
        "record": "call",
        "columns": [*CALL_COLUMNS],
        "map": {
            "call_id": "call_no", "started_at": "started", "queue_id": "queue", "wait_seconds": "wait",
            "outcome": "outcome", "outcome_reason": "reason", "agent_id": "agent", "answered_at": "answered",
            "ended_at": "ended", "talk_seconds": "talk", "hung_up_by": "hung_up", "updated_at": "updated",
            **seconds,
        },
    }  # fmt: skip
    one_row = "a call is one row, with one queue and the agent who answered"
    return Dialect(
        kind=kind,
        entries=lambda name: {
            name: {
                "kind": kind,
                "time_zone": "UTC",
                **options(name),
                "streams": {"calls": mapping | stream(name)},
            }
        },
        tell=_call_rows,
        forms={"{}__calls": records.rows},
        cannot_tell={OPEN: "rows are written when a call is over", SEVERAL: one_row, MISSED: one_row},
        silent={
            "fct_agent_legs.offered_at": "no column says when it began to ring",
            "fct_agent_legs.ring_seconds": CALL_LIST.unknown[RING],
            "fct_agent_legs.business_date": "no column says on which day it began to ring",
            "fct_agent_days.logged_in_seconds": "a list of calls knows of no log-ins",
            "fct_agent_days.available_seconds": "a list of calls knows of no log-ins",
            "fct_agent_days.paused_seconds": "a list of calls knows of no breaks",
        },
        knowledge=CALL_LIST,
        tells_shifts=False,
        earlier={
            "{}__calls": lambda row: records.a_day_earlier(row) | {"outcome": "abandoned", "wait": "77"}
        },
        are_versions_stated=True,
        withdrawn={"{}__calls": lambda row: row | {"outcome": "void", "updated": "2034-05-06 07:08:09"}},
    )


# -- all ---------------------------------------------------------------------------------------------------


def _amazon_connect(scene: Scene, calls: list[Call]) -> Told:
    book = _watch(scene, calls, AmazonConnect)
    return {
        "{}__" + stream: [
            json.loads(line) for text in book.text(f"amazon_connect/{stream}/") for line in text.splitlines()
        ]
        for stream in ("contact_records", "agent_events")
    }


def _freeswitch(scene: Scene, calls: list[Call]) -> Told:
    book = _watch(scene, calls, FreeSwitch)
    return {"{}__" + stream: book.rows(f"freeswitch/{stream}") for stream in ("xml_cdr", "agent_status")}


def _genesys_cloud(scene: Scene, calls: list[Call]) -> Told:
    """Conversations, and every presence and routing status of a user as an element of its own."""
    book = _watch(scene, calls, GenesysCloud)
    found = [
        conversation
        for text in book.text("genesys_cloud/conversations")
        for conversation in json.loads(text)["conversations"]
    ]
    users = [user for text in book.text("genesys_cloud/user") for user in json.loads(text)["userDetails"]]
    spans = [
        {"userId": user["userId"], kind: [span]}
        for user in users
        for kind in user
        if kind != "userId"
        for span in user[kind]
    ]
    return {"{}__conversations": found, "{}__user_details": spans}


def _not_over(conversation: Record) -> Record:
    """What was told of a conversation before it was over, its times wrong by a day at that."""
    return {
        key: value for key, value in records.a_day_earlier(conversation).items() if key != "conversationEnd"
    }


def _going_on(user: Record) -> Record:
    return {
        key: value
        if key == "userId"
        else [{name: at for name, at in span.items() if name != "endTime"} for span in value]
        for key, value in user.items()
    }


def _files(name: str, *streams: str) -> dict[str, Any]:
    return {stream: {"files": [f"{name}__{stream}/*"]} for stream in streams}


DIALECTS: dict[str, Dialect] = {
    dialect.kind: dialect
    for dialect in (
        Dialect(
            kind="amazon_connect",
            entries=lambda name: {
                name: {
                    "kind": "amazon_connect",
                    "exit_reason": EXIT_ATTRIBUTE,
                    "streams": _files(name, "contact_records", "agent_events"),
                }
            },
            tell=_amazon_connect,
            forms={"{}__contact_records": records.documents, "{}__agent_events": records.documents},
            cannot_tell={OPEN: KNOWLEDGE["amazon_connect"].unknown[OPEN_CONTACTS]},
            knowledge=KNOWLEDGE["amazon_connect"],
            earlier={"{}__contact_records": records.a_day_earlier},
            are_versions_stated=True,
            skips={"deleted": NO_DELETIONS},
        ),
        Dialect(
            kind="asterisk_queue_log",
            entries=_queue_log_entry,
            tell=_queue_log,
            forms={"{}__queue_log": records.lines},
            skips={
                "corrected": "a line is an event; it is never written again",
                "deleted": NO_DELETIONS,
            },
        ),
        Dialect(**_beside_a_queue_log("cdr")),
        Dialect(**_beside_a_queue_log("cel")),
        _call_list("delimited", lambda name: {}, lambda name: {"files": [f"{name}__calls/*"]}),
        Dialect(
            kind="freeswitch",
            entries=lambda name: {
                name: {
                    "kind": "freeswitch",
                    "callback_keys": [CALLBACK_KEY],
                    "streams": _files(name, "xml_cdr", "agent_status"),
                }
            },
            tell=_freeswitch,
            forms={"{}__xml_cdr": records.rows, "{}__agent_status": records.rows},
            cannot_tell={
                OPEN: KNOWLEDGE["freeswitch"].unknown[OPEN_CONTACTS],
                ONWARD: "the caller's channel keeps what the last queue said of it",
            },
            knowledge=KNOWLEDGE["freeswitch"],
            earlier={"{}__xml_cdr": records.a_day_earlier},
            skips={"deleted": NO_DELETIONS},
        ),
        Dialect(
            kind="genesys_cloud",
            entries=lambda name: {
                name: {"kind": "genesys_cloud", "streams": _files(name, "conversations", "user_details")}
            },
            tell=_genesys_cloud,
            forms={
                "{}__conversations": records.answers("conversations"),
                "{}__user_details": records.answers("userDetails"),
            },
            knowledge=KNOWLEDGE["genesys_cloud"],
            silent={"fct_contacts.ivr_seconds": "of a menu that was not there nothing is said, not even 0"},
            earlier={"{}__conversations": _not_over, "{}__user_details": _going_on},
            are_versions_stated=True,
            skips={"deleted": NO_DELETIONS},
        ),
        _call_list(
            "sql", lambda name: {"connection": f"{name}_db"}, lambda name: {"query": "select * from calls"}
        ),
    )
}
