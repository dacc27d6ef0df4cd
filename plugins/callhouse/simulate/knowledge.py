"""What each telephone system knows of what happens: in whose words the truth is written.

The simulation knows everything. A trait that a system does not know (`Knowledge.unknown`, each with its
reason) is not in the truth written for it; what it calls by words of its own stands there in these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MENU = "the time a caller spent in the menu, before the first queue"
RING = "when a telephone began to ring"
AFTER_CALL = "after-call work"
OPEN = "contacts that go on when the data end"
OPEN_MENU = "the menu of contacts that go on"
OPEN_WORK = "what agents do in contacts that go on"
OPEN_RING = "a telephone that rings when the data end"
BETWEEN = "that a contact on the way to its next queue goes on"
LAST_MISS = "an offer missed in the very second in which the caller hung up"


@dataclass(frozen=True)
class Knowledge:
    """What one kind of source knows.

    Attributes:
        unknown: traits that it does not know, each with the reason.
        breaks: its words for the reasons of breaks, where they are not the centre's own.
        not_ready: its words for what keeps an agent from the next offer once a telephone has rung in vain:
            ``missed``, ``unreachable``, ``abandoned`` (the caller hung up). Without a word the agent is
            available.
        ways_out: the reasons for which visits flow out, of those it knows; None: all.
        names_queues: a transfer's target is a queue's name, not its extension.
    """

    unknown: Mapping[str, str] = field(default_factory=dict)
    breaks: Mapping[str, str] = field(default_factory=dict)
    not_ready: Mapping[str, str] = field(default_factory=dict)
    ways_out: frozenset[str] | None = None
    names_queues: bool = False

    def knows(self, trait: str) -> bool:
        return trait not in self.unknown


_QUEUE_LOG = {
    AFTER_CALL: "plain Asterisk has no event for it: the agent is available",
    OPEN_RING: "an offer is written when it is over",
    BETWEEN: "a transfer is a call's end until it enters the next queue",
}
KNOWLEDGE: Mapping[str, Knowledge] = {
    "asterisk_queue_log": Knowledge({MENU: "a queue_log begins with the queue", **_QUEUE_LOG}),
    "asterisk_cdr": Knowledge(
        {OPEN_MENU: "records beside the queue_log are written at the end", **_QUEUE_LOG}
    ),
    "amazon_connect": Knowledge(
        {
            OPEN: "a contact record is written when the contact and its after-call work are over, and agent"
            " events know one that waits only once an agent was offered it: they would count some of those"
            " who wait and look like all",
            LAST_MISS: "a caller who hangs up leaves a missed offer behind too, and the record tells of whole"
            " seconds: whoever rang in that one was not missed by an agent",
        },
        not_ready={"missed": "Missed", "unreachable": "Error", "abandoned": "Missed"},
        names_queues=True,
    ),
    "freeswitch": Knowledge(
        {
            AFTER_CALL: "wrap_up_time keeps calls away from an agent whose status stays Available",
            OPEN: "a channel is written when it ends",
            OPEN_WORK: "agents' channels are exported with the caller's",
            OPEN_RING: "a channel is written when it ends",
        },
        breaks=dict.fromkeys(("Break", "Lunch", "Training"), "On Break"),
    ),
    "genesys_cloud": Knowledge(
        breaks={"Break": "BREAK", "Lunch": "MEAL", "Training": "TRAINING"},
        not_ready={"missed": "NOT_RESPONDING"},
        ways_out=frozenset({"timeout"}),
    ),
}
