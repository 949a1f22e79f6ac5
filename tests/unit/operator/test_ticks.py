"""One tick observes, decides and applies; what fails is counted and tried again, and only the leader writes."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer
from prometheus_client.parser import text_string_to_metric_families

from plimsoll.apply import Applied, Applier, Present, Result, StatusFailure, StepOutcome
from plimsoll.domain import Plan, SizedBy, Snapshot
from plimsoll.errors import ClusterUnavailable
from plimsoll.observe import ClusterCache, Observer
from plimsoll.refining import Refiner
from plimsoll.sizing import Capacity, Case
from plimsoll.telemetry import Metrics
from plimsoll.tick import Ticker
from plimsoll.tracing import NOT_TRACED
from unit.builders import NOW_S, a_deployment, a_pool, a_snapshot
from unit.explain.plans import a_step
from unit.refining.cases import an_answer_to


class _Sights(Observer):
    """Sees what the test says, one thing a tick; an error is raised, the last sight stays."""

    def __init__(self, *sights: Snapshot | Exception) -> None:
        self._sights = list(sights)

    async def snapshot(self, now_s: float) -> Snapshot:
        sight = self._sights.pop(0) if len(self._sights) > 1 else self._sights[0]
        if isinstance(sight, Exception):
            raise sight
        return sight


class _Pen(Applier):
    """Remembers the plans it was handed."""

    def __init__(self, applied: Applied = Applied()) -> None:  # noqa: B008 - frozen
        self.plans: list[Plan] = []
        self._applied = applied

    def apply(self, plan: Plan, present: Present) -> Applied:
        self.plans.append(plan)
        return self._applied


def a_sight() -> Snapshot:
    return a_snapshot([a_deployment()], pools=(a_pool(nodes=1),))


class Office:
    """A ticker with its metrics and its pen."""

    def __init__(
        self,
        *sights: Snapshot | Exception,
        may_write: Callable[[], bool] = lambda: True,
        applied: Applied = Applied(),  # noqa: B008 - frozen
        interval_s: float = 60.0,
        refiner: Refiner | None = None,
        tracer: Tracer = NOT_TRACED.tracer,
    ) -> None:
        self.metrics, self.pen = Metrics(), _Pen(applied)
        observer = _Sights(*(sights or (a_sight(),)))
        self.due = asyncio.Event()
        self.ticker = Ticker(
            ClusterCache(),
            observer,
            self.pen,
            may_write,
            self.metrics,
            interval_s,
            self.due,
            refiner,
            tracer,
            now_s=lambda: NOW_S,
        )

    def tick(self, times: int = 1) -> None:
        async def run() -> None:
            for _ in range(times):
                await self.ticker.tick()

        asyncio.run(run())

    def value(self, name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.metrics.page().decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None


def test_a_tick_applies_the_plan_of_what_it_saw() -> None:
    office = Office()
    office.tick()
    (plan,) = office.pen.plans
    assert [str(one.key) for one in plan.deployments] == ["team-a/chat"]
    assert office.value("plimsoll_ticks_total", outcome="ok") == 1.0
    assert office.value("plimsoll_last_success_timestamp_seconds") == NOW_S
    assert office.value("plimsoll_leader") == 1.0


def test_a_standby_decides_and_tells_but_writes_nothing() -> None:
    office = Office(may_write=lambda: False)
    office.tick()
    assert office.pen.plans == []
    assert office.value("plimsoll_leader") == 0.0
    assert office.value("plimsoll_demand_known", namespace="team-a", deployment="chat") == 1.0
    assert office.value("plimsoll_ticks_total", outcome="ok") == 1.0


def test_a_failed_tick_is_counted_and_logged_and_the_next_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(ClusterUnavailable("no answer"), a_sight())
    with caplog.at_level(logging.ERROR, logger="plimsoll.tick"):
        office.tick(times=2)
    assert office.value("plimsoll_ticks_total", outcome="failed") == 1.0
    assert office.value("plimsoll_ticks_total", outcome="ok") == 1.0
    assert len(office.pen.plans) == 1
    (record,) = caplog.records
    assert record.exc_info is not None


def test_a_solve_without_time_is_logged_and_counted_and_its_plan_applied(caplog: pytest.LogCaptureFixture) -> None:
    # Half of the interval is the solver's; so little of it has passed before the first look.
    office = Office(interval_s=1e-9)
    with caplog.at_level(logging.WARNING, logger="plimsoll.tick"):
        office.tick()
    assert len(office.pen.plans) == 1
    assert office.value("plimsoll_solves_total", outcome="SolveTimedOut") == 1.0
    assert "SolveTimedOut" in caplog.text
    assert "the last plan or a greedy one stands in its place" in caplog.text


def test_a_bug_in_a_station_does_not_end_the_operator() -> None:
    office = Office(ZeroDivisionError("a bug"))
    office.tick()
    assert office.value("plimsoll_ticks_total", outcome="failed") == 1.0


def test_the_metrics_of_the_last_good_plan_stand_when_a_tick_fails() -> None:
    office = Office(a_sight(), ClusterUnavailable("no answer"))
    office.tick(times=2)
    assert office.value("plimsoll_ticks_total", outcome="failed") == 1.0
    assert office.value("plimsoll_demand_known", namespace="team-a", deployment="chat") == 1.0


def test_a_step_that_was_written_is_one_line_with_its_reason_and_price(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(applied=Applied((StepOutcome(a_step(), Result.WRITTEN),)))
    with caplog.at_level(logging.INFO, logger="plimsoll.tick"):
        office.tick()
    (record,) = caplog.records
    told = vars(record)
    assert (told["deployment"], told["variant"], told["from"], told["to"]) == ("team-a/chat", "h100", 2, 3)
    assert (told["reason"], told["result"]) == ("ScaleUp", "Written")
    assert isinstance(told["usd_per_hour"], float)
    assert record.levelno == logging.INFO
    assert office.value("plimsoll_steps_total", result="Written") == 1.0


def test_a_step_that_is_done_already_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(applied=Applied((StepOutcome(a_step(), Result.ALREADY_THERE),)))
    with caplog.at_level(logging.INFO, logger="plimsoll.tick"):
        office.tick()
    assert caplog.records == []


def test_a_step_that_no_longer_holds_warns_in_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(applied=Applied((StepOutcome(a_step(), Result.CHANGED_MEANWHILE, "asks for 5 by now"),)))
    with caplog.at_level(logging.INFO, logger="plimsoll.tick"):
        office.tick()
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "asks for 5 by now")


def test_each_status_that_was_not_written_is_logged_with_its_name_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    refused = StatusFailure("ComputePool", "gpu-h100", "503 try later")
    broken = StatusFailure("InferenceDeployment", "team-a/chat", "ValueError: a bug", ValueError("a bug"))
    office = Office(applied=Applied(status_failures=(refused, broken)))
    with caplog.at_level(logging.WARNING, logger="plimsoll.tick"):
        office.tick()
    of_pool, of_chat = caplog.records
    assert of_pool.getMessage() == "status of ComputePool gpu-h100 not written: 503 try later"
    assert (of_pool.levelno, of_pool.exc_info) == (logging.WARNING, None)
    assert "team-a/chat" in of_chat.getMessage()
    assert of_chat.levelno == logging.ERROR
    assert of_chat.exc_info is not None
    assert office.value("plimsoll_status_failures_total", kind="InferenceDeployment") == 1.0
    assert office.value("plimsoll_status_failures_total", kind="ComputePool") == 1.0
    assert office.value("plimsoll_ticks_total", outcome="ok") == 1.0


def test_the_loop_ends_at_once_when_told_to_stop_in_its_pause() -> None:
    office = Office(interval_s=60.0)

    async def run() -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(office.ticker.run(stopping))
        while not office.pen.plans:
            await asyncio.sleep(0.01)
        stopping.set()
        await asyncio.wait_for(running, timeout=1.0)

    asyncio.run(run())
    assert len(office.pen.plans) == 1


def test_a_standby_that_takes_the_lease_writes_at_once_and_not_at_the_end_of_its_pause() -> None:
    leads = False
    office = Office(may_write=lambda: leads, interval_s=60.0)

    async def run() -> None:
        nonlocal leads
        stopping = asyncio.Event()
        running = asyncio.create_task(office.ticker.run(stopping))
        while office.value("plimsoll_ticks_total", outcome="ok") != 1.0:
            await asyncio.sleep(0.01)
        leads = True
        office.due.set()
        while not office.pen.plans:
            await asyncio.sleep(0.01)
        stopping.set()
        await running

    asyncio.run(asyncio.wait_for(run(), timeout=1.5))
    assert office.value("plimsoll_leader") == 1.0
    assert office.value("plimsoll_ticks_total", outcome="ok") == 2.0, "one tick for the call, and no more"


# --- Refining beside the ticks ----------------------------------------------------------------------------------------


@contextmanager
def refining(simulate: Callable[[Case], Capacity]) -> Iterator[Refiner]:
    refiner = Refiner(simulate=simulate)
    refiner.start()
    try:
        yield refiner
    finally:
        refiner.close()


def sized_by(plan: Plan) -> SizedBy:
    return plan.deployments[0].variants[0].sized_by


def test_a_plan_stands_on_an_estimate_until_its_simulation_is_there() -> None:
    with refining(lambda case: an_answer_to(case, 17.0)) as refiner:
        office = Office(refiner=refiner)
        office.tick()
        deadline_s = time.monotonic() + 5.0
        while not refiner.known():
            assert time.monotonic() < deadline_s, "the tick asked for nothing"
            time.sleep(0.002)
        office.tick()
    before, after = office.pen.plans
    assert (sized_by(before), sized_by(after)) == (SizedBy.ESTIMATE, SizedBy.SIMULATION)
    headroom_ratio = a_deployment().policy.headroom_ratio
    assert after.deployments[0].variants[0].safe_rate_rps == pytest.approx(17.0 * (1.0 - headroom_ratio))
    assert office.value("plimsoll_sizing_options", sized_by="Simulation") == 1.0
    assert office.value("plimsoll_sizing_options", sized_by="Estimate") == 0.0


def test_a_tick_never_waits_for_a_simulation() -> None:
    began, let_go = threading.Event(), threading.Event()

    def stuck(case: Case) -> Capacity:
        began.set()
        let_go.wait()
        return an_answer_to(case)

    with refining(stuck) as refiner:
        office = Office(refiner=refiner)
        office.tick()
        assert began.wait(2.0)
        began_s = time.monotonic()
        office.tick(times=5)
        # A tick takes some milliseconds; one that waited would never end.
        assert time.monotonic() - began_s < 1.5
        assert [sized_by(plan) for plan in office.pen.plans] == [SizedBy.ESTIMATE] * 6
        assert office.value("plimsoll_ticks_total", outcome="ok") == 6.0
        let_go.set()


def test_a_standby_refines_too_so_that_a_successor_begins_with_simulations() -> None:
    asked = threading.Event()

    def simulate(case: Case) -> Capacity:
        asked.set()
        return an_answer_to(case)

    with refining(simulate) as refiner:
        Office(may_write=lambda: False, refiner=refiner).tick()
        assert asked.wait(2.0)


def test_without_a_refiner_every_safe_rate_is_an_estimate() -> None:
    office = Office()
    office.tick(times=2)
    assert {sized_by(plan) for plan in office.pen.plans} == {SizedBy.ESTIMATE}


def test_a_tick_is_one_trace_with_a_span_for_each_of_its_parts() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    asyncio.run(Office(tracer=provider.get_tracer("test")).ticker.tick())
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"tick", "observe", "decide", "apply"}
    assert all(span.parent == spans["tick"].context for name, span in spans.items() if name != "tick")
    assert dict(spans["decide"].attributes or {})["plimsoll.deployments"] == 1
