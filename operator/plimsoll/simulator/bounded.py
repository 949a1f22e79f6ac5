"""One run beside what must be paid at least, and where the difference comes from.

In: an episode, the share of requests that may miss. Out: the run with bound and attribution. Only Plimsoll has stations
to attribute to: beside other policies stands the bound alone.
"""

from dataclasses import dataclass

from plimsoll.api import InferenceDeployment
from plimsoll.simulator.attribution import Attribution, attributed
from plimsoll.simulator.bound import Bound, least_cost
from plimsoll.simulator.episode import Episode
from plimsoll.simulator.result import RunResult
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.shares import Watcher, ignore

MOST_VARIANT_HOURS = 400.0
"""Up to so many variants times hours the bound takes a minute or less and is worth it unasked. Measured: a day of six
variants takes 13 s of processor time, half a day of 58 variants 48 s; other machines are half as fast."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A run of Plimsoll with its bound."""

    run: RunResult
    bound: Bound
    attribution: Attribution


def bounded(episode: Episode, may_miss: float, known: Bound | None = None, watch: Watcher = ignore) -> Bounded:
    """Plimsoll's run with its bound.

    Args:
        episode: what is drawn.
        may_miss: share of all requests that need not keep the SLO, 0 to 1.
        known: the episode's bound, where it has been computed before.
        watch: told how far the run has got.
    """
    bound = known or least_cost(episode, may_miss)
    run, attribution = attributed(episode, bound, watch=watch)
    return Bounded(run, bound, attribution)


def is_quick(scenario: Scenario) -> bool:
    """Whether the bound of one seed is there within a minute or so."""
    variants = sum(
        len(one.spec.variants) for one in scenario.contents.deployments.values() if isinstance(one, InferenceDeployment)
    )
    return scenario.spec.hours * variants <= MOST_VARIANT_HOURS
