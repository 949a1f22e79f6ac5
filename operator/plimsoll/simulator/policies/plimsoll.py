"""Plimsoll itself: the shipped `decide`, through the same snapshot and memory as on a cluster.

In: observations. Out: the targets of the plan's steps. What the refiner does in a thread beside the loop happens here
between two ticks, by a fixed rule, so that a run gives the same answer on every machine.
"""

import math

from plimsoll.decide import decide
from plimsoll.domain import Memory, Plan, Snapshot
from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.policies.autoscaler import Observation, PolicyKind, Setup, Wanted
from plimsoll.sizing import Capacity, Case, to_simulate

REFINED_EVERY_S = 600.0
"""From one simulation to the next, once every variant in use has been simulated; until then one a tick. The operator's
thread does more; what a simulation said is carried over to the drifting question (see ``sizing.carrying_over``), so
that more of them change little and cost most of a run."""

USED_REFINED_EVERY_S = 30.0
"""The same while what the plan stands on is only estimated."""


class Plimsoll:
    """The operator without a cluster."""

    scrape_interval_s = 15.0
    """A common interval of Prometheus."""

    def __init__(self, setup: Setup, interval_s: float) -> None:
        self._interval_s = interval_s
        self._simulated_s = -math.inf
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
        self._refine(snapshot, decision.plan)
        steps = decision.plan.steps_to_apply
        return Wanted(
            replicas={step.key: step.to_replicas for step in steps},
            reasons={step.key: f"{step.reason.value}: {step.message}" for step in steps},
            delete_first=frozenset(pod for step in steps for pod in step.delete_first),
            weights={
                one.key: one.safe_rate_rps for deployment in decision.plan.deployments for one in deployment.variants
            },
        )

    def _refine(self, snapshot: Snapshot, plan: Plan) -> None:
        unplayed = any(
            variant.target > 0 and variant.key not in self._memory.gains
            for deployment in plan.deployments
            for variant in deployment.variants
        )
        since_s = snapshot.now_s - self._simulated_s
        if not unplayed and since_s < USED_REFINED_EVERY_S:
            return
        used = to_simulate(snapshot, plan, self._known, used_only=True)
        if not used and since_s < REFINED_EVERY_S:
            return
        for case in (used or to_simulate(snapshot, plan, self._known))[:1]:
            self._known[case] = ANSWERS.of(case)
            self._simulated_s = snapshot.now_s


def _make(setup: Setup, target: float) -> Plimsoll:
    return Plimsoll(setup, interval_s=setup.tick_interval_s)


PLIMSOLL = PolicyKind("plimsoll", _make)
