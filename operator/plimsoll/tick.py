"""What happens in one tick, and what if it fails?

In: an observer, a decision function's memory, a refiner, an applier. Out: one plan a tick, applied where this replica
leads. Every replica observes, decides and refines, so that a successor starts with a warm memory; only the leader
writes. A tick that fails is logged, counted and tried again at the next one; the last good plan stands meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.trace import Span, Tracer

from plimsoll.apply import Applied, Applier, Present, Result, log_fields
from plimsoll.decide import decide
from plimsoll.domain import Decision, Memory, Plan, Reason, Snapshot
from plimsoll.explain import summary
from plimsoll.observe import ClusterCache, Observer
from plimsoll.planning import SolveLimits
from plimsoll.refining import Refiner
from plimsoll.sizing import NOTHING_SIMULATED, to_simulate
from plimsoll.telemetry import Metrics
from plimsoll.tracing import NOT_TRACED
from plimsoll.waiting import pause

log = logging.getLogger(__name__)


class Ticker:
    """Observes, decides and applies, again and again."""

    def __init__(
        self,
        cache: ClusterCache,
        observer: Observer,
        applier: Applier,
        may_write: Callable[[], bool],
        metrics: Metrics,
        interval_s: float,
        due: asyncio.Event | None = None,
        refiner: Refiner | None = None,
        tracer: Tracer = NOT_TRACED.tracer,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._observer = observer
        self._applier = applier
        self._may_write = may_write
        self._metrics = metrics
        self._interval_s = interval_s
        self._due = due or asyncio.Event()
        self._refiner = refiner
        self._tracer = tracer
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._limits = SolveLimits(time_limit_s=interval_s / 2.0, stopwatch_s=monotonic_s)
        self._memory = Memory()
        self.last_end_s = monotonic_s()
        """When a tick last ended, well or not, by the monotonic clock."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Tick until told to stop, and at once when due; the tick under way is finished, its writes stop."""
        while not stopping.is_set():
            started_s = self._monotonic_s()
            # Before the tick: what makes another one due during this one may have come too late for this one.
            self._due.clear()
            await self.tick()
            await pause(max(0.0, started_s + self._interval_s - self._monotonic_s()), stopping, self._due)

    async def tick(self) -> None:
        """One tick; never raises for what the cluster, Prometheus or a bug in a station does."""
        try:
            with self._tracer.start_as_current_span("tick"):
                await self._tick()
        except Exception:
            # The one place where anything is caught: a bug in one tick must not end the operator.
            log.exception("tick failed; the last plan stands, the next tick tries again")
            self._metrics.ticks.labels("failed").inc()
        else:
            self._metrics.ticks.labels("ok").inc()
            self._metrics.last_success.set(self._now_s())
        finally:
            self.last_end_s = self._monotonic_s()

    async def _tick(self) -> None:
        with self._stage("observe"):
            snapshot = await self._observer.snapshot(self._now_s())
        with self._stage("decide") as span:
            decision = await asyncio.to_thread(self._decide, snapshot)
            span.set_attributes(_figures(decision.plan))
        self._memory = decision.memory
        self._metrics.show(decision.plan)
        if decision.plan.solver.outcome is not Reason.SOLVED:
            log.warning("%s: %s", decision.plan.solver.outcome.value, decision.plan.solver.message)
        leads = self._may_write()
        self._metrics.leader.set(float(leads))
        if leads:
            present = Present(self._cache.contents(), dict(self._cache.deployments.raw), dict(self._cache.pools.raw))
            with self._stage("apply"):
                applied = await asyncio.to_thread(self._applier.apply, decision.plan, present)
            self._tell(decision.plan, applied)

    @contextmanager
    def _stage(self, name: str) -> Iterator[Span]:
        """One part of a tick: timed for the metrics, and a span of its own."""
        with self._metrics.tick_seconds.labels(name).time(), self._tracer.start_as_current_span(name) as span:
            yield span

    def _decide(self, snapshot: Snapshot) -> Decision:
        """By what has been simulated so far; what this plan stands on is simulated next, and counts in a later one."""
        simulated = NOTHING_SIMULATED if self._refiner is None else self._refiner.known()
        decision = decide(snapshot, self._memory, self._limits, simulated)
        if self._refiner is not None:
            self._refiner.ask(to_simulate(snapshot, decision.plan, simulated))
        return decision

    def _tell(self, plan: Plan, applied: Applied) -> None:
        plans = {one.key: one for one in plan.deployments}
        for outcome in applied.steps:
            self._metrics.steps.labels(outcome.result.value).inc()
            if outcome.result is Result.ALREADY_THERE:
                continue
            deployment = plans[outcome.step.key.deployment_key]
            level = logging.INFO if outcome.result is Result.WRITTEN else logging.WARNING
            log.log(
                level,
                outcome.message or outcome.step.message,
                extra=log_fields(outcome) | {"plan": summary(deployment), "usd_per_hour": deployment.usd_per_hour},
            )
        for failure in applied.owned_failures:
            log.warning(
                "owned Deployment not written: %s",
                failure.message,
                extra={"deployment": str(failure.deployment), "variant": failure.variant},
            )
        for route in applied.routes:
            told = {"deployment": str(route.deployment), "weights": dict(route.weights.percent)}
            if route.failure is None:
                log.info("HTTPRoute %s shares requests out anew", route.weights.route, extra=told)
            else:
                log.warning("weights of HTTPRoute %s not written: %s", route.weights.route, route.failure, extra=told)
        for status in applied.status_failures:
            self._metrics.status_failures.labels(status.kind).inc()
            log.log(
                logging.WARNING if status.bug is None else logging.ERROR,
                "status of %s %s not written: %s",
                status.kind,
                status.name,
                status.message,
                exc_info=status.bug,
            )


def _figures(plan: Plan) -> Mapping[str, float | int | str]:
    """What of a plan helps to tell why its tick took long."""
    return {
        "plimsoll.deployments": len(plan.deployments),
        "plimsoll.pools": len(plan.pools),
        "plimsoll.steps": sum(len(one.steps) for one in plan.deployments),
        "plimsoll.solve.seconds": plan.solver.seconds,
        "plimsoll.solve.outcome": plan.solver.outcome.value,
        "plimsoll.cost_usd_per_hour": plan.solver.cost_usd_per_hour,
    }
