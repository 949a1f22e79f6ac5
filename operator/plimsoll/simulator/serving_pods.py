"""Which engine stands behind which pod? The engines of all deployments, told of pods by the cluster.

In: pods that become ready, drain and go. Out: engines that do the same, rows for scrapes, and when how many were ready.
"""

from collections.abc import Mapping

import numpy as np

from plimsoll.api import Engine
from plimsoll.domain import Deployment, ObjectKey, Profile, VariantKey
from plimsoll.engine.serving import Router
from plimsoll.simulator import metering
from plimsoll.simulator.cluster import SimPod
from plimsoll.simulator.episode import Episode
from plimsoll.simulator.metering import Meter
from plimsoll.simulator.safe_rates import mix_of, safe_concurrency, safe_rate_rps
from plimsoll.simulator.scraping import Scraper
from plimsoll.simulator.serving import Service

_TOTALS = (metering.ARRIVED, metering.ENDED, metering.PROMPT_TOKENS, metering.OUTPUT_TOKENS)


class ServingPods:
    """Listens to the cluster for all deployments of a run."""

    def __init__(self, episode: Episode, scraper: Scraper) -> None:
        spec = episode.scenario.spec
        self._scraper = scraper
        self._routers = {one.key: episode.scenario.router(one.routing) for one in episode.deployments}
        self._profiles = episode.true_profiles
        self._deployments = {one.key: one for one in episode.deployments}
        self.services: dict[ObjectKey, Service] = {
            one.key: Service(
                traffic=episode.traffic[one.key],
                router=self._routers[one.key],
                patience_ms=spec.client_timeout.milliseconds,
                max_sequences=max(variant.profile.max_sequences for variant in one.variants),
                rng=episode.rng("router", one.key),
            )
            for one in episode.deployments
        }
        self._meters = {key: Meter(service) for key, service in self.services.items()}
        self._pods: dict[VariantKey, dict[str, SimPod]] = {
            variant.key: {} for one in episode.deployments for variant in one.variants
        }
        """With an engine: ready ones, and those that drain."""
        self._gone_totals: dict[VariantKey, list[float]] = {key: [0.0] * len(_TOTALS) for key in self._pods}
        self._weights = {
            key: weight
            for one in episode.deployments
            for key, weight in _weights(one, episode, self._routers[one.key]).items()
        }
        self.readiness: list[tuple[float, VariantKey, int]] = []
        """When a variant got a ready replica more (+1) or less (-1)."""

    # --- What the cluster tells --------------------------------------------------------------------------------------

    def pod_ready(self, pod: SimPod, now_s: float) -> None:
        service = self.services[pod.key.deployment_key]
        service.advance(now_s)
        pod.slot = service.start(self._profiles[pod.key], self._weights[pod.key])
        self._meters[pod.key.deployment_key].reset(pod.slot)
        self._pods[pod.key][pod.name] = pod
        self.readiness.append((now_s, pod.key, 1))

    def pod_terminating(self, pod: SimPod, now_s: float) -> float:
        assert pod.slot is not None, "only a pod that serves is asked when it will be done"
        service = self.services[pod.key.deployment_key]
        service.advance(now_s)
        # Counted before it drains: what it does from now on is played at once.
        self._meters[pod.key.deployment_key].look()
        self.readiness.append((now_s, pod.key, -1))
        return service.drain(pod.slot) / 1000.0

    def pod_gone(self, pod: SimPod, now_s: float) -> None:
        if pod.slot is None:
            return
        key = pod.key.deployment_key
        service, meter = self.services[key], self._meters[key]
        service.advance(now_s)
        if pod.slot in service.live:
            self.readiness.append((now_s, pod.key, -1))
        service.stop(pod.slot)
        meter.look()
        row = meter.row(pod.slot)
        for place, column in enumerate(_TOTALS):
            self._gone_totals[pod.key][place] += float(row[column])
        service.free(pod.slot)
        del self._pods[pod.key][pod.name]
        self._scraper.gone(pod.name, now_s)
        pod.slot = None

    # --- What others ask ---------------------------------------------------------------------------------------------

    def weigh(self, weights: Mapping[VariantKey, float]) -> None:
        """Traffic weights by a policy; only the weighted router heeds them."""
        for key, weight in weights.items():
            heeded = self._routers[key.deployment_key] is Router.WEIGHTED
            if not heeded or weight <= 0.0 or weight == self._weights[key]:
                continue
            self._weights[key] = weight
            service = self.services[key.deployment_key]
            for pod in self._pods[key].values():
                if pod.slot is not None:
                    service.weigh(pod.slot, weight)

    def scrape(self, now_s: float) -> None:
        """Everything is scraped at one moment."""
        for key, deployment in self._deployments.items():
            service, meter = self.services[key], self._meters[key]
            service.advance(now_s)
            meter.look()
            self._scraper.take_router(now_s, key, float(meter.requests), float(service.queued()))
            for variant in deployment.variants:
                rows = {
                    pod.name: meter.row(pod.slot) for pod in self._pods[variant.key].values() if pod.slot is not None
                }
                if not rows and variant.key not in self._scraper.known:
                    continue
                totals = [
                    gone + sum(float(row[column]) for row in rows.values())
                    for gone, column in zip(self._gone_totals[variant.key], _TOTALS, strict=True)
                ]
                self._scraper.take(now_s, variant.key, Engine(variant.profile.engine), rows, totals)

    def finish(self, end_s: float) -> None:
        """The run is over: who is being served is served to the end."""
        for service in self.services.values():
            service.advance(end_s)
            service.finish()


def _weights(deployment: Deployment, episode: Episode, router: Router) -> Mapping[VariantKey, float]:
    """What a replica of each variant takes relative to others, as its profile has it.

    A router of least load compares requests present, so it is told how many are present at the safe rate; a weighted
    one how many requests to send. The others ask nobody.
    """
    mix = mix_of(episode.traffic[deployment.key])
    if mix is None or router not in (Router.LEAST_LOADED, Router.WEIGHTED):
        return {variant.key: 1.0 for variant in deployment.variants}

    def weight(profile: Profile) -> float:
        of = safe_concurrency if router is Router.LEAST_LOADED else safe_rate_rps
        # A variant that cannot keep the SLO is given next to nothing while others are there.
        return max(of(profile, mix, deployment.slo), 1e-6)

    found = {variant.key: weight(variant.profile) for variant in deployment.variants}
    largest = float(np.max(list(found.values())))
    # Equal weights are exactly 1, so that like replicas share without rounding.
    return {key: one / largest for key, one in found.items()}
