"""How is a situation decided on the command line? By the operator's own function, on safe rates simulated here.

In: a situation. Out: its plan. What has been simulated is kept for the next plan, so that two that are compared stand
on the same figures.
"""

from collections.abc import Callable
from dataclasses import replace

from plimsoll.cli.progress import progress
from plimsoll.domain import ObjectKey, Plan
from plimsoll.sizing import Capacity, Case, to_simulate
from plimsoll.what_if import Situation

_ROUNDS, _MOST_SIMULATIONS = 3, 32
"""A simulated variant may lose against another one, which is then simulated too; 32 take about ten seconds. Guesses."""
_SIMULATING = "simulating safe rates (--quick estimates them)"
Simulate = Callable[[Case], Capacity]


class Decider:
    """Plans situations, and simulates what their plans stand on."""

    def __init__(self, simulate: Simulate | None) -> None:
        """With None all safe rates are estimated."""
        self._simulate = simulate
        self._simulated: dict[Case, Capacity] = {}

    def plan(self, situation: Situation, about: ObjectKey | None = None) -> Plan:
        """Decided anew until the plan stands on simulations, within bounds.

        Args:
            situation: to be decided.
            about: a deployment whose unused variants are simulated too, since they are to be compared.
        """
        plan = self.by_what_is_known(situation)
        if self._simulate is None:
            return plan
        most = len(self._simulated) + _MOST_SIMULATIONS
        for _ in range(_ROUNDS):
            cases = self._open(situation, plan, about)[: most - len(self._simulated)]
            if not cases:
                break
            with progress(_SIMULATING, len(cases)) as step:
                for case in cases:
                    self._simulated[case] = self._simulate(case)
                    step("")
            plan = self.by_what_is_known(situation)
        return plan

    def by_what_is_known(self, situation: Situation) -> Plan:
        """Decided by what has been simulated so far."""
        return situation.decided(self._simulated)

    def _open(self, situation: Situation, plan: Plan, about: ObjectKey | None) -> tuple[Case, ...]:
        used = to_simulate(situation.snapshot, plan, self._simulated, used_only=True)
        if about is None:
            return used
        alone = replace(situation.snapshot, deployments=(situation.deployment(about),))
        return tuple(dict.fromkeys((*to_simulate(alone, plan, self._simulated), *used)))
