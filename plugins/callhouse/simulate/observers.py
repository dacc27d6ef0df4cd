"""What telephone systems beside Asterisk are told of the simulated centre, as it happens."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callhouse.simulate.centre import Agent, Call, Visit


class Observer:
    """A telephone system that writes down the same calls in its own form; it overrides what it notices.

    It draws nothing from the simulation's random numbers: the days are the same whoever watches. Instants
    are seconds since the epoch.
    """

    def begin_day(self, day: date) -> None:
        """A local day begins."""

    def end_day(self, day: date) -> None:
        """Nothing more will be told of this day, but what calls begun late on it still bring."""

    def agent_changed(self, at: int, agent_id: str, state: str, reason: str) -> None:
        """An agent's status from now on: ``available``, ``away`` (and why) or ``offline``."""

    def agent_free(self, at: int, agent: Agent) -> None:
        """An agent has nothing left to do for a call; also told of one who had none."""

    def ringing(self, at: int, agent: Agent, visit: Visit) -> None:
        """An agent's telephone begins to ring."""

    def unreachable(self, at: int, agent: Agent, visit: Visit) -> None:
        """An agent's telephone could not be rung."""

    def stopped_ringing(self, at: int, agent: Agent, visit: Visit, *, is_missed: bool) -> None:
        """Nobody answered: the agent missed it, or the caller left."""

    def connected(self, at: int, agent: Agent, visit: Visit) -> None:
        """An agent answered."""

    def hung_up(self, at: int, agent: Agent, visit: Visit, free_at: int) -> None:
        """The talk is over, hung up or transferred; the agent wraps up until ``free_at``."""

    def call_ended(self, call: Call) -> None:
        """The caller is gone: the call is complete."""

    def call_open(self, call: Call) -> None:
        """The data end, and the caller still waits or talks; told before `finish`."""

    def finish(self, last_at: int) -> None:
        """The simulation is over; ``last_at`` is the instant of its last event."""
