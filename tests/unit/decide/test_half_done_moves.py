"""From wherever a restart finds a move: it is finished or undone, whichever is cheaper, without dropping demand."""

from random import Random

import pytest

from unit.builders import a_deployment, a_policy, a_pool
from unit.decide.test_days import BUSY_RPS, H100, QUIET_RPS, XEON
from unit.decide.world import ToyPod, World

SETTLES_WITHIN_TICKS = 70
"""Two stabilisation windows of a minute, what the forecast remembers of demand (two minutes), and both lead times."""


def a_half_done_state(random: Random) -> World:
    """Any number of replicas on both sides, some of them ready, some starting, some without a node yet."""
    quick = a_policy(scale_down_stabilization_s=60.0)
    pools = [
        a_pool("gpu-h100", nodes=random.randint(0, 2), provisioning_s=60.0, max_nodes=2),
        a_pool("cpu-amx", nodes=2, price_usd_per_hour=random.choice([0.1, 20.0]), min_nodes=2, max_nodes=2),
    ]
    world = World([a_deployment(variants=[H100, XEON], policy=quick)], pools)
    for variant, most in zip(world.variants, (4, 8), strict=True):
        for _ in range(random.randint(0, most)):
            world.made += 1
            world.pods[variant.key].append(ToyPod(f"{variant.name}-{world.made}", world.now_s))
    for _ in range(random.randint(0, 9)):
        # Time passes in which nobody decides: pods are placed and become ready.
        world.idle()
    return world


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rps", [QUIET_RPS, BUSY_RPS])
def test_a_half_done_move_ends_in_one_place_and_never_drops_what_demand_needs(seed: int, rps: float) -> None:
    world = a_half_done_state(Random(seed))
    rows = []
    for _ in range(SETTLES_WITHIN_TICKS):
        before = {variant.key: world.ready(variant) for variant in world.variants}
        decision = world.tick(rps)
        (plan,) = decision.plan.deployments
        rates = {variant.key: variant.safe_rate_rps for variant in plan.variants}
        before_rps = sum(rates[key] * ready for key, ready in before.items())
        needed_rps = min(before_rps, plan.forecast.required_rps - plan.shortfall_rps)
        assert world.ready_rps(decision) >= needed_rps - 1e-4
        rows.append(world.replicas())
    # A fixed point: what is planned is what runs, and nothing moved for the last tenth of the time.
    assert rows[-1] == {variant.key.variant: variant.target for variant in plan.variants if variant.target}
    assert rows[-1 - SETTLES_WITHIN_TICKS // 10 :] == [rows[-1]] * (1 + SETTLES_WITHIN_TICKS // 10)
    # Finished or undone, not both: what has begun to leave does not come back.
    for name in ("h100", "xeon"):
        counts = [row.get(name, 0) for row in rows]
        falls = [i for i in range(1, len(counts)) if counts[i] < counts[i - 1]]
        assert all(counts[i] <= counts[i - 1] for i in range(falls[0] if falls else len(counts), len(counts))), counts


@pytest.mark.parametrize(("usd_per_hour", "ends_on"), [(0.1, "xeon"), (20.0, "h100")])
def test_which_side_a_half_done_move_ends_on_is_decided_by_price(usd_per_hour: float, ends_on: str) -> None:
    world = a_half_done_state(Random(1))
    assert set(world.replicas()) == {"h100", "xeon"}
    world.pools[1] = a_pool("cpu-amx", nodes=2, price_usd_per_hour=usd_per_hour, max_nodes=2)
    for _ in range(SETTLES_WITHIN_TICKS):
        world.tick(QUIET_RPS)
    assert set(world.replicas()) == {ends_on}
