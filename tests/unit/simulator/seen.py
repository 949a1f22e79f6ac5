"""What autoscalers see in tests: a setup and observations with plain figures."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from plimsoll.domain import Deployment, ObjectKey, Pool, Snapshot, VariantKey
from plimsoll.simulator.policies import Observation, Scrape, Setup
from unit.builders import NOW_S, a_deployment, a_pool, a_variant

CHAT = ObjectKey("team-a", "chat")
H100 = VariantKey("team-a", "chat", "h100")


def a_setup(
    deployments: Iterable[Deployment] | None = None,
    pools: Iterable[Pool] | None = None,
    rps_m: Mapping[ObjectKey, Iterable[float]] | None = None,
    prompt: float = 512.0,
    output: float = 128.0,
) -> Setup:
    """One deployment ``chat`` on H100 that is asked for 10 requests a second for an hour."""
    own = (a_deployment(),) if deployments is None else tuple(deployments)
    keys = [one.key for one in own]
    return Setup(
        deployments=own,
        pools=(a_pool("gpu-h100"),) if pools is None else tuple(pools),
        demand_rps_m={key: np.array(list((rps_m or {}).get(key, [10.0] * 60))) for key in keys},
        prompt_tokens_mean=dict.fromkeys(keys, prompt),
        output_tokens_mean=dict.fromkeys(keys, output),
        prompt_tokens_p95=dict.fromkeys(keys, 2.0 * prompt),
        output_tokens_p95=dict.fromkeys(keys, 2.0 * output),
        prompt_tokens_most=dict.fromkeys(keys, math.inf),
        output_tokens_most=dict.fromkeys(keys, math.inf),
    )


def a_scrape(
    running: Iterable[float], waiting: Iterable[float] = (), kv: Iterable[float] = (), at_s: float = NOW_S
) -> Scrape:
    """One pod for each number of running sequences; nobody waits and the cache is empty unless said."""
    running_p = np.array(list(running), dtype=np.float64)
    waiting_p, kv_p = np.array(list(waiting), dtype=np.float64), np.array(list(kv), dtype=np.float64)
    return Scrape(
        at_s=at_s,
        pods=tuple(f"pod-{number}" for number in range(running_p.size)),
        running_p=running_p,
        waiting_p=waiting_p if waiting_p.size else np.zeros(running_p.size),
        kv_use_ratio_p=kv_p if kv_p.size else np.zeros(running_p.size),
        arrivals=0.0,
        completions=0.0,
        prompt_tokens=0.0,
        output_tokens=0.0,
    )


def an_observation(
    deployments: Iterable[Deployment] | None = None,
    scrapes: Mapping[VariantKey, Iterable[Scrape]] | None = None,
    routed: Mapping[ObjectKey, Iterable[tuple[float, float]]] | None = None,
    queued: Mapping[ObjectKey, float] | None = None,
    now_s: float = NOW_S,
) -> Observation:
    """A cluster without pools: policies have them from their setup."""
    own = (a_deployment(),) if deployments is None else tuple(deployments)
    return Observation(
        snapshot=Snapshot(now_s, own, ()),
        scrapes={key: tuple(one) for key, one in (scrapes or {}).items()},
        queued=queued or {},
        routed={key: tuple(points) for key, points in (routed or {}).items()},
    )


def at_rate(rps: float, now_s: float = NOW_S, span_s: float = 300.0) -> list[tuple[float, float]]:
    """What the router counted over the last minutes, every ten seconds."""
    return [(now_s - span_s + t, rps * t) for t in np.arange(0.0, span_s + 1.0, 10.0)]


def running(replicas: int, ready: int | None = None) -> Deployment:
    """``chat`` with so many replicas on H100, one of which stays whatever is asked."""
    own = a_deployment(variants=[a_variant(replicas=replicas, ready=ready)])
    return replace(own, demand=replace(own.demand, sees_zero_replicas=False))
