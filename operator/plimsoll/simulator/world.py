"""One run: an episode under one policy, from its first second to its last.

In: an `Episode`, the label of a policy. Out: a `RunResult`. Python acts at events only (scrapes, the policy's looks,
pods and nodes that come and go); in between compiled engines jump from event to event of their own.
"""

import time

from plimsoll.domain import Snapshot, VariantKey
from plimsoll.observe import DemandMemory, with_demand
from plimsoll.observe.demand import observe_demand
from plimsoll.settings import ObserveSettings
from plimsoll.simulator.agenda import Agenda
from plimsoll.simulator.cluster import SimulatedCluster
from plimsoll.simulator.episode import START_S, Episode
from plimsoll.simulator.policies import Autoscaler, Observation, Wanted, make
from plimsoll.simulator.reckoning import reckon
from plimsoll.simulator.result import Move, RunResult
from plimsoll.simulator.scraping import Scraper
from plimsoll.simulator.serving_pods import ServingPods
from plimsoll.simulator.shares import Watcher, ignore
from plimsoll.simulator.starting import first_replicas
from plimsoll.simulator.views import Views

_SETTLING_S = 90.0
"""Before the first look: on a cluster pods have been counting for long when an autoscaler starts, here they begin with
the run, and a rate over a window that is not full is too low."""


def run(episode: Episode, label: str, watch: Watcher = ignore) -> RunResult:
    """The whole run.

    Args:
        episode: what is drawn.
        label: of the policy.
        watch: told how far it has got.

    Raises:
        InvalidObject: there is no such policy.
    """
    began_s = time.perf_counter()
    world = World(episode, make(label, episode.setup()))
    world.play(watch)
    return reckon(world, episode, label, took_s=time.perf_counter() - began_s)


class World:
    """Cluster, engines, metrics and policy of one run."""

    def __init__(self, episode: Episode, policy: Autoscaler) -> None:
        spec = episode.scenario.spec
        self.episode = episode
        self.policy = policy
        self.agenda = Agenda()
        self.moves: list[Move] = []
        variants = {one.key: one for deployment in episode.deployments for one in deployment.variants}
        self.variants = variants
        self._scraper = Scraper(ObserveSettings().window_s, spec.cluster.scrape_delay.seconds, START_S)
        self.serving = ServingPods(episode, self._scraper)
        self.cluster = SimulatedCluster(
            episode.pools, list(variants.values()), spec.cluster, self.agenda, self.serving, episode.rng("cluster")
        )
        self._views = Views(episode.cluster, START_S)
        self._demand_memory = DemandMemory()

    def play(self, watch: Watcher = ignore) -> None:
        """From the first second to the last.

        Args:
            watch: told how far it has got.
        """
        end_s = self.episode.scenario.duration_s
        self.cluster.begin(first_replicas(self.episode))
        # A scrape and a look at one moment: the scrape comes first and is seen later.
        self.agenda.every(self.policy.scrape_interval_s, self.serving.scrape)
        self.agenda.every(self.policy.interval_s, self._look, first_s=_SETTLING_S)
        for now_s in self.agenda.until(end_s):
            watch(now_s / end_s)
        self.serving.finish(end_s)

    def _look(self, now_s: float) -> None:
        wanted = self.policy.decide(self._observe(now_s))
        if wanted.weights is not None:
            self.serving.weigh(wanted.weights)
        self._apply(wanted, now_s)

    def _observe(self, now_s: float) -> Observation:
        return Observation(
            snapshot=self._snapshot(now_s),
            scrapes=self._scraper.scrapes(now_s),
            queued=self._scraper.queued(now_s),
            routed=self._scraper.routed(now_s),
        )

    def _snapshot(self, now_s: float) -> Snapshot:
        """As the operator's observer puts it together, with pods and rows that are simulated."""
        cluster = self._views.cluster(self.cluster)
        reading = self._scraper.reading(now_s, cluster.asked)
        observed, self._demand_memory = observe_demand(cluster.asked, reading, self._demand_memory, START_S + now_s)
        return with_demand(cluster, observed, START_S + now_s)

    def _apply(self, wanted: Wanted, now_s: float) -> None:
        for key, asked in sorted(wanted.replicas.items()):
            variant, before = self.variants[key], self.cluster.targets[key]
            count = min(max(asked, variant.min_replicas), variant.max_replicas)
            if count == before:
                continue
            self.moves.append(Move(now_s, key, before, count, wanted.reasons.get(key, "")))
            self.cluster.set_replicas(key, count, wanted.delete_first, now_s)

    def lifetimes(self) -> dict[str, list[tuple[float, float]]]:
        """By pool from when to when each node was on the bill."""
        end_s = self.episode.scenario.duration_s
        return {
            pool: [*self.cluster.lifetimes[pool], *((node.requested_s, end_s) for node in nodes.values())]
            for pool, nodes in self.cluster.nodes.items()
        }

    def ready_spans(self) -> dict[VariantKey, list[tuple[float, int]]]:
        """By variant when its ready replicas changed, and by how many."""
        spans: dict[VariantKey, list[tuple[float, int]]] = {key: [] for key in self.variants}
        for at_s, key, change in self.serving.readiness:
            spans[key].append((at_s, change))
        return spans
