"""What is an autoscaler to the simulator? Something that sees a snapshot and scrapes, and says how many replicas.

In: nothing. Out: the protocol that every policy is behind, Plimsoll's own too, and the frozen values that it is given
and gives. None of them holds the truth: metrics are delayed and windowed as a scrape shows them. Only the `Setup`, with
which a policy is made, tells of the run as a whole, for policies that are said to know the trace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from plimsoll.domain import Deployment, ObjectKey, Pool, Snapshot, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.settings import LoopSettings


@dataclass(frozen=True, slots=True)
class Scrape:
    """What the pods of one variant showed at one scrape; arrays have one entry a ready pod, sorted by pod name."""

    at_s: float
    pods: tuple[str, ...]
    running_p: Floats
    """Sequences that the engine runs."""
    waiting_p: Floats
    """Requests in the engine's queue."""
    kv_use_ratio_p: Floats
    """Share of the KV cache in use, 0 to 1."""
    arrivals: float
    """Counter: requests that reached the variant's pods since the start of the run, pods that are gone included."""
    completions: float
    """Counter: requests done."""
    prompt_tokens: float
    """Counter: prompt tokens of requests done."""
    output_tokens: float
    """Counter: output tokens of requests done."""

    @property
    def concurrency_p(self) -> Floats:
        """Requests that each pod holds, running and waiting."""
        return np.asarray(self.running_p + self.waiting_p)

    @property
    def concurrency(self) -> float:
        """Requests that all pods hold together."""
        return float(self.running_p.sum() + self.waiting_p.sum())


@dataclass(frozen=True, slots=True)
class Observation:
    """All that an autoscaler may know at one moment."""

    snapshot: Snapshot
    """As the operator would have it: objects, pods, nodes, and demand and latencies over the rate window."""
    scrapes: Mapping[VariantKey, Sequence[Scrape]] = field(default_factory=dict)
    """By variant, oldest first, for the last `KEPT_S` seconds; empty where no pod has been scraped."""
    queued: Mapping[ObjectKey, float] = field(default_factory=dict)
    """By deployment: requests that wait at the router because no replica is ready, as last scraped there."""
    routed: Mapping[ObjectKey, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """By deployment: moments and the router's counter of all requests that came, oldest first; the gateway's view."""

    @property
    def now_s(self) -> float:
        """Seconds since the epoch."""
        return self.snapshot.now_s

    def latest(self, key: VariantKey) -> Scrape | None:
        """The last scrape of a variant; None where there is none."""
        scrapes = self.scrapes.get(key, ())
        return scrapes[-1] if scrapes else None

    def within(self, key: VariantKey, window_s: float) -> Sequence[Scrape]:
        """The scrapes of the last `window_s` seconds, oldest first."""
        return [one for one in self.scrapes.get(key, ()) if one.at_s > self.now_s - window_s]

    def concurrency(self, key: VariantKey, window_s: float) -> float | None:
        """Mean over the window of the requests that all pods of a variant hold together; None without a scrape."""
        found = self.within(key, window_s)
        return sum(one.concurrency for one in found) / len(found) if found else None

    def rate_rps(self, key: ObjectKey, window_s: float) -> float | None:
        """Requests per second that came to the router of a deployment over the window; None without two scrapes."""
        points = [one for one in self.routed.get(key, ()) if one[0] > self.now_s - window_s]
        if len(points) < 2 or points[-1][0] <= points[0][0]:
            return None
        return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])


KEPT_S = 1300.0
"""For how long scrapes are kept: SkyServe looks back 1200 s, nobody further."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an autoscaler wants from now on."""

    replicas: Mapping[VariantKey, int]
    """Absent variants stay as they are. Bounds of the manifests (min, max) are held by the simulator."""
    reasons: Mapping[VariantKey, str] = field(default_factory=dict)
    """In words, for those that change."""
    delete_first: frozenset[str] = frozenset()
    """Pods that carry a low pod-deletion-cost."""
    weights: Mapping[VariantKey, float] | None = None
    """Traffic share of one replica of each variant, for routers that heed weights; None leaves them as they are."""


class Autoscaler(Protocol):
    """One policy during one run; it may keep a state of its own."""

    @property
    def interval_s(self) -> float:
        """From one look to the next."""

    @property
    def scrape_interval_s(self) -> float:
        """How often the metrics that it reads are scraped."""

    def decide(self, observation: Observation) -> Wanted:
        """What it wants at `observation.now_s`."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a policy is made with: the objects as they are at the start of the run, without any metric."""

    deployments: tuple[Deployment, ...]
    pools: tuple[Pool, ...]
    demand_rps_m: Mapping[ObjectKey, Floats]
    """The truth: requests per second in every minute of the run. Only for policies that are said to know the trace."""
    prompt_tokens_mean: Mapping[ObjectKey, float]
    """Of the whole run: what a careful user has measured beforehand."""
    output_tokens_mean: Mapping[ObjectKey, float]
    prompt_tokens_p95: Mapping[ObjectKey, float]
    output_tokens_p95: Mapping[ObjectKey, float]
    prompt_tokens_most: Mapping[ObjectKey, float]
    output_tokens_most: Mapping[ObjectKey, float]
    tick_interval_s: float = LoopSettings().interval_s
    """From one look of Plimsoll to the next."""


class Maker(Protocol):
    """Makes one policy for one run."""

    def __call__(self, setup: Setup, target: float) -> Autoscaler: ...


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """One row of the list of policies."""

    name: str
    make: Maker
    default_target: float = 0.0
    """The target that a user finds in the documentation; policies without one ignore it."""
    targets: tuple[float, ...] = ()
    """Other targets that a careful user would try."""
