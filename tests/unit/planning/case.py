"""One call from a small fleet to its allocation, and the checks that every allocation must pass."""

from collections.abc import Iterable, Mapping

from plimsoll.domain import Allocation, Deployment, Forecast, ObjectKey, Option, Pool, StockOut, VariantKey
from plimsoll.planning import SolveLimits, allocate
from plimsoll.planning.packing import pack
from plimsoll.planning.statement import state_problem
from unit.builders import a_forecast, a_snapshot, options_for


def plan(
    deployments: Iterable[Deployment],
    pools: Iterable[Pool],
    rps: Mapping[str, float],
    *,
    forecasts: Mapping[ObjectKey, Forecast] | None = None,
    options: Mapping[VariantKey, Option] | None = None,
    stock_outs: Mapping[str, StockOut] | None = None,
    last: Mapping[VariantKey, int] | None = None,
    limits: SolveLimits | None = None,
) -> Allocation:
    """The allocation of a fleet whose demand stays as it is; `rps` is the safe rate by variant name."""
    deployments = tuple(deployments)
    return allocate(
        a_snapshot(deployments, pools),
        forecasts or {deployment.key: a_forecast(deployment) for deployment in deployments},
        options or options_for(deployments, rps),
        stock_outs or {},
        last or {},
        limits or SolveLimits(),
    )


def counts(allocation: Allocation) -> dict[str, int]:
    """Replicas that are wanted, by `deployment/variant`."""
    return {f"{key.deployment}/{key.variant}": n for key, n in allocation.replicas.items() if n}


def assert_feasible(allocation: Allocation, deployments: Iterable[Deployment], pools: Iterable[Pool]) -> None:
    """Within min and max; every pool within its nodes; all replicas packed one by one into the planned nodes."""
    deployments = tuple(deployments)
    for variant in (variant for deployment in deployments for variant in deployment.variants):
        if not variant.pinned:
            assert variant.min_replicas <= allocation.replicas[variant.key] <= variant.max_replicas, variant.key
    snapshot = a_snapshot(deployments, pools)
    forecasts = {deployment.key: a_forecast(deployment) for deployment in deployments}
    problem = state_problem(snapshot, forecasts, options_for(deployments, _any_rate(deployments)), {}, {})
    for pool in snapshot.pools:
        assert allocation.nodes[pool.name] <= pool.max_nodes
        room, users = problem.rooms[pool.name], problem.choices_in(pool.name)
        packed = pack(room, [(choice, allocation.replicas[choice.key]) for choice in users])
        assert sum(packed.seated) == sum(allocation.replicas[choice.key] for choice in users), pool.name
        assert packed.nodes <= allocation.nodes[pool.name], pool.name


def _any_rate(deployments: tuple[Deployment, ...]) -> dict[str, float]:
    return {variant.name: 1.0 for deployment in deployments for variant in deployment.variants}
