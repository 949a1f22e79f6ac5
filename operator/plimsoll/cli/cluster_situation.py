"""What would the operator of this cluster decide now, as far as can be told from outside?

In: the API server. Out: the situation that the operator sees: the same objects, through the same `observe`, with
demand, forecast, corrections and last plan as it wrote them into the statuses. What only its memory holds (how long
what has been wanted, when a stock-out began) is not in there. Reads, never writes.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plimsoll.api import InferenceDeploymentStatus
from plimsoll.api_server import ApiServer
from plimsoll.cli.offline import usable_profiles
from plimsoll.domain import (
    POISSON,
    Burstiness,
    Correction,
    Demand,
    DemandState,
    Deployment,
    Forecast,
    Memory,
    ObjectKey,
    TokenMix,
    VariantKey,
)
from plimsoll.observe import ClusterCache, Observed, ScaleReader, resolve, with_demand
from plimsoll.observe.targets import Scales, targets_to_look_up
from plimsoll.observe.token_mix import OUTPUT_P95_OVER_MEAN, PROMPT_P95_OVER_MEAN
from plimsoll.sizing import loaded_s
from plimsoll.what_if import Situation

Raw = Mapping[str, Any]


def cluster_situation(server: ApiServer) -> Situation:
    """The situation of the whole cluster, since all deployments share its pools."""
    # Loaded here: the watches bring kopf along, which takes a second that other commands need not wait for.
    from plimsoll.watching import served_kinds

    cache = ClusterCache()
    for watched in served_kinds(server):
        for raw in server.items(f"{watched.root}/{watched.plural}"):
            cache.apply(watched.kind, None, raw)
    return situation_as_told(cache, asyncio.run(_scales(server, cache)), time.time())


async def _scales(server: ApiServer, cache: ClusterCache) -> Scales:
    reader = ScaleReader(server.get)
    try:
        return await reader.read(targets_to_look_up(cache.contents()))
    finally:
        reader.close()


def situation_as_told(cache: ClusterCache, scales: Scales, now_s: float) -> Situation:
    """The objects of the cache, with what their statuses tell of demand, forecast and the last plan."""
    contents = cache.contents()
    cluster = resolve(contents, scales)
    told = {
        one.key: InferenceDeploymentStatus.model_validate(cache.deployments.raw[one.key].get("status") or {})
        for one in cluster.deployments
    }
    snapshot = with_demand(cluster, {key: Observed(_demand(status)) for key, status in told.items()}, now_s)
    # Who sees requests at no replicas is in the spec, not in the status.
    deployments = tuple(
        replace(one, demand=replace(one.demand, sees_zero_replicas=before.demand.sees_zero_replicas))
        for one, before in zip(snapshot.deployments, cluster.deployments, strict=True)
    )
    return Situation(
        snapshot=replace(snapshot, deployments=deployments),
        memory=Memory(replicas=_replicas(told), corrections=_corrections(deployments, told, now_s)),
        forecasts={one.key: made for one in deployments if (made := _forecast(one, told[one.key])) is not None},
        profiles=usable_profiles(contents),
    )


def _demand(status: InferenceDeploymentStatus) -> Demand:
    told = status.demand
    if told is None:
        return Demand(DemandState.ABSENT, "the operator has not told any demand yet", sees_zero_replicas=False)
    return Demand(
        state=told.state,
        message=told.message,
        sees_zero_replicas=False,
        arrival_rate_rps=None if told.arrival_rate is None else told.arrival_rate.value,
        tokens=_tokens(status),
    )


def _tokens(status: InferenceDeploymentStatus) -> TokenMix | None:
    told = status.demand
    if told is None or told.prompt_tokens is None or told.output_tokens is None:
        return None
    prompt, output = told.prompt_tokens.value, told.output_tokens.value
    return TokenMix(
        prompt_tokens_mean=prompt,
        prompt_tokens_p95=told.prompt_tokens_p95.value if told.prompt_tokens_p95 else PROMPT_P95_OVER_MEAN * prompt,
        output_tokens_mean=output,
        output_tokens_p95=told.output_tokens_p95.value if told.output_tokens_p95 else OUTPUT_P95_OVER_MEAN * output,
        prompt_tokens_most=told.prompt_tokens_most.value if told.prompt_tokens_most else math.inf,
        output_tokens_most=told.output_tokens_most.value if told.output_tokens_most else math.inf,
    )


def _forecast(deployment: Deployment, status: InferenceDeploymentStatus) -> Forecast | None:
    """The forecast that the status tells; the one of each lead time is not in there, so the most stands for all."""
    told = status.forecast
    if told is None:
        return None
    rate_cv2 = told.burstiness.value if told.burstiness else 0.0
    return Forecast(
        key=deployment.key,
        basis=told.basis,
        now_rps=told.now_rate.value,
        at_lead_rps={variant.name: told.required_rate.value for variant in deployment.variants},
        tokens=deployment.demand.tokens,
        message=told.message,
        burstiness=Burstiness(rate_cv2, deployment.demand.window_s) if rate_cv2 > 0.0 else POISSON,
    )


def _replicas(told: Mapping[ObjectKey, InferenceDeploymentStatus]) -> Mapping[VariantKey, int]:
    return {VariantKey(*key, one.name): one.target for key, status in told.items() for one in status.variants}


def _corrections(
    deployments: tuple[Deployment, ...], told: Mapping[ObjectKey, InferenceDeploymentStatus], now_s: float
) -> Mapping[str, Correction]:
    """By profile what the operator multiplies its step times by, and how far requests have confirmed it."""
    found: dict[str, Correction] = {}
    for deployment in deployments:
        variants = {one.name: one for one in told[deployment.key].variants}
        for variant in deployment.variants:
            name, one = variant.profile.name, variants.get(variant.name)
            if one is None:
                continue
            factor = one.correction.value if one.correction and one.correction.value > 0.0 else 1.0
            seen_s = 0.0 if one.headroom is None else loaded_s(deployment.policy, one.headroom.value)
            if name in found:
                # On spot nodes headroom stays, whatever another variant with the same profile has shown.
                seen_s = max(seen_s, found[name].loaded_s)
            if factor != 1.0 or seen_s > 0.0:
                found[name] = Correction(
                    variant.profile.step_time, now_s, factor=factor, log_factor=math.log(factor), loaded_s=seen_s
                )
    return found
