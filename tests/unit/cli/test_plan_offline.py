"""A plan from manifests stands on simulations of what it uses, within bounds, and on nothing that it does not use."""

from pathlib import Path

from plimsoll.cli.offline import OfflinePlan, known_demand, plan_offline, stated_tokens
from plimsoll.domain import ObjectKey, SizedBy
from plimsoll.manifests import load
from plimsoll.sizing import Capacity, Case
from unit.cli.test_plan import write_world
from unit.observe.manifests import a_deployment_manifest
from unit.refining.cases import an_answer_to

CHAT = ObjectKey("team-a", "chat")


class Simulated:
    """Answers with one rate and remembers what it was asked."""

    def __init__(self, one_rps: float = 6.0) -> None:
        self.asked: list[Case] = []
        self._one_rps = one_rps

    def __call__(self, case: Case) -> Capacity:
        self.asked.append(case)
        return an_answer_to(case, self._one_rps)


def planned(folder: Path, simulate: Simulated | None, rate_rps: float | None = 5.0) -> OfflinePlan:
    demand = {} if rate_rps is None else {CHAT: known_demand(rate_rps, stated_tokens(800.0, 200.0))}
    return plan_offline(load([folder], "team-a"), demand, simulate)


def test_the_plan_is_made_by_the_simulated_rate(tmp_path: Path) -> None:
    write_world(tmp_path)
    simulate = Simulated(2.0)
    estimated, simulated = planned(tmp_path, None), planned(tmp_path, simulate)
    assert len(simulate.asked) == 1
    variants = [one.plan.deployments[0].variants[0] for one in (estimated, simulated)]
    assert [one.sized_by for one in variants] == [SizedBy.ESTIMATE, SizedBy.SIMULATION]
    assert variants[0].target == 1
    assert variants[1].target > 1


def test_without_demand_there_is_nothing_to_simulate(tmp_path: Path) -> None:
    write_world(tmp_path)
    simulate = Simulated()
    planned(tmp_path, simulate, rate_rps=None)
    assert simulate.asked == []


def test_a_variant_that_the_plan_does_not_use_is_not_simulated(tmp_path: Path) -> None:
    one = a_deployment_manifest()["spec"]["variants"][0]
    write_world(tmp_path, variants=[one | {"replicas": {"min": 0, "max": 0}}])
    simulate = Simulated()
    planned(tmp_path, simulate)
    assert simulate.asked == []
