"""Plimsoll itself: the shipped `decide`, through the same snapshot and memory as on a cluster.

In: observations. Out: the targets of the plan's steps. What the refiner does in a thread beside the loop happens here
between two ticks, so many cases at a time, so that a run gives the same answer on every machine.
"""

from collections.abc import MutableMapping

from plimsoll.decide import decide
from plimsoll.domain import Memory, Plan
from plimsoll.settings import LoopSettings
from plimsoll.simulator.policies.autoscaler import Observation, PolicyKind, Setup, Wanted
from plimsoll.sizing import Capacity, Case, simulate, to_simulate

CASES_A_TICK = 2
"""Simulations between two ticks. On one slow core a case takes up to a second; the thread of the operator has ten
seconds from tick to tick and gives way to everything else: two is what it does when hard pressed."""

_ANSWERS: dict[Case, Capacity] = {}
"""Answers depend on the case alone; kept over the runs of a process so that no case is played twice."""


class Plimsoll:
    """The operator without a cluster."""

    scrape_interval_s = 15.0
    """A common interval of Prometheus."""

    def __init__(
        self,
        setup: Setup,
        interval_s: float,
        cases_a_tick: int = CASES_A_TICK,
        answers: MutableMapping[Case, Capacity] | None = None,
    ) -> None:
        self._interval_s = interval_s
        self._cases_a_tick = cases_a_tick
        self._answers = _ANSWERS if answers is None else answers
        self._memory = Memory()
        self._known: dict[Case, Capacity] = {}
        self.plan: Plan | None = None
        """The last one, for whoever attributes its cost."""

    @property
    def interval_s(self) -> float:
        return self._interval_s

    def decide(self, observation: Observation) -> Wanted:
        """One tick: decide by what has been simulated, then simulate what that plan stands on."""
        snapshot = observation.snapshot
        decision = decide(snapshot, self._memory, simulated=self._known)
        self._memory, self.plan = decision.memory, decision.plan
        for case in to_simulate(snapshot, decision.plan, self._known)[: self._cases_a_tick]:
            if case not in self._answers:
                self._answers[case] = simulate(case)
            self._known[case] = self._answers[case]
        steps = decision.plan.steps_to_apply
        return Wanted(
            replicas={step.key: step.to_replicas for step in steps},
            reasons={step.key: f"{step.reason.value}: {step.message}" for step in steps},
            delete_first=frozenset(pod for step in steps for pod in step.delete_first),
            weights={
                one.key: one.safe_rate_rps for deployment in decision.plan.deployments for one in deployment.variants
            },
        )


def _make(setup: Setup, target: float) -> Plimsoll:
    return Plimsoll(setup, interval_s=LoopSettings().interval_s)


PLIMSOLL = PolicyKind("plimsoll", _make)
