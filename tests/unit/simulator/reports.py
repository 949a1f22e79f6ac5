"""Results of a made-up scenario: two models on three pools, as many policies and seeds as asked for.

In: labels and what differs. Out: a `ScenarioResult`. Figures follow from the seed and the policy's place in the list
alone, so that a test can work them out.
"""

from collections.abc import Sequence

import numpy as np

from plimsoll.domain import LatencyMetric, ObjectKey, PriceKind, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.simulator.result import LatencySeries, ModelSeries, Move, PoolSeries, RunResult, ScenarioResult

CHAT, CODE = ObjectKey("team-a", "chat"), ObjectKey("team-a", "code")
POOLS = (("l4", PriceKind.ON_DEMAND, 0.8), ("l4-spot", PriceKind.SPOT, 0.3), ("xeon", PriceKind.PAID, 1.1))


def a_run(
    policy: str = "plimsoll",
    seed: int = 1,
    *,
    scenario: str = "made-up",
    usd: float = 10.0,
    attainment: float = 0.995,
    hours: float = 2.0,
    models: Sequence[ObjectKey] = (CHAT, CODE),
) -> RunResult:
    minutes = round(hours * 60)
    wave_m = 1.0 + 0.5 * np.sin(np.arange(minutes) / minutes * 4.0 * np.pi + seed)
    billed_m = np.round(wave_m * 3.0)
    scale = usd / float((billed_m * (0.8 + 0.3) / 60.0).sum())
    return RunResult(
        scenario=scenario,
        policy=policy,
        seed=seed,
        hours=hours,
        usd=usd,
        paid_usd=2.2 * hours,
        requests=1000 + seed,
        dropped=seed,
        slo_attainment=attainment,
        tokens=4e6,
        moves=tuple(
            Move(60.0 * at, VariantKey(*models[0], "l4"), 1, 3 - at % 3, f"ScaleUp: demand <rises> at minute {at}")
            for at in range(2, minutes, 7)
            if models
        ),
        pools=tuple(
            PoolSeries(name, kind, price, np.full(minutes, 2.0) if kind is PriceKind.PAID else billed_m * scale)
            for name, kind, price in POOLS
        ),
        by_model={key: attainment - 0.002 * place for place, key in enumerate(models)},
        models=tuple(a_model(key, wave_m * (2.0 - place / len(models))) for place, key in enumerate(models)),
    )


def a_model(key: ObjectKey, demand_m: Floats) -> ModelSeries:
    ready_m = np.full(demand_m.size, float(demand_m.max()) * 1.5)
    return ModelSeries(
        key=key,
        model="org/model",
        demand_rps_m=demand_m,
        ready_rps_m=ready_m,
        safe_rps_m=ready_m * 0.6,
        within_slo_m=np.ones(demand_m.size),
        replicas_m={"l4": np.ones(demand_m.size)},
        latencies=(
            LatencySeries(LatencyMetric.TTFT, 800.0, 0.95, demand_m * 100.0, demand_m * 240.0, demand_m * 400.0),
            LatencySeries(LatencyMetric.TPOT, None, None, demand_m, demand_m, demand_m),
        ),
    )


def a_scenario_result(
    policies: Sequence[tuple[str, float, float]] = (
        ("plimsoll", 10.0, 0.995), ("hpa", 9.0, 0.93), ("hpa=0.6", 14.0, 0.992), ("static", 20.0, 1.0),
    ),
    seeds: Sequence[int] = (1, 2),
    *,
    name: str = "made-up",
    bound_usd: float | None = 8.0,
    hours: float = 2.0,
    models: Sequence[ObjectKey] = (CHAT, CODE),
) -> ScenarioResult:  # fmt: skip
    """Policies as label, cost and attainment; each further seed costs a tenth of a dollar more."""
    runs = tuple(
        a_run(label, seed, scenario=name, usd=usd + 0.1 * place, attainment=kept, hours=hours, models=models)
        for place, seed in enumerate(seeds)
        for label, usd, kept in policies
    )
    return ScenarioResult(name, runs, {} if bound_usd is None else dict.fromkeys(seeds, bound_usd))
