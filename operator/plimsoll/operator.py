"""How does the process run, and how does it end?

In: settings. Out: an exit code. kopf watches, the elector holds the lease, one loop ticks, a small server answers
probes. The order of the end matters: no new write, the write under way finished, the lease released, then kopf; within
five seconds. Our tasks are created before kopf's, since kopf cancels at exit what started after it. Design section 7.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import kopf

from plimsoll import __version__
from plimsoll.api_server import ApiServer, connect
from plimsoll.apply import Applier
from plimsoll.errors import InvalidSettings, MetricsUnavailable, PlimsollError
from plimsoll.leader import Elector
from plimsoll.observe import (
    ClusterCache,
    Labels,
    MetricsReader,
    Observer,
    PrometheusSettings,
    ScaleReader,
    read_token,
)
from plimsoll.refining import Refiner
from plimsoll.settings import ObserveSettings, Settings
from plimsoll.telemetry import HttpServer, Metrics, Probes
from plimsoll.tick import Ticker
from plimsoll.tracing import Tracing, set_up_tracing
from plimsoll.waiting import pause
from plimsoll.watching import WatchedKind, WatchSync, kopf_settings, registry_for, scopes, served_kinds

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 5.0
_KOPF_EXIT_S = 1.5
_TICK_EXIT_S = 2.5
_EXIT_WITHIN_S = 4.5
_STUCK_AFTER_TICKS = 6.0


@dataclass(slots=True)
class _Health:
    """What the probes say. They are asked from the first moment on; the parts come in as they are made."""

    interval_s: float
    waiting_for: str = "the API server has not said yet which kinds it serves"
    sync: WatchSync | None = None
    ticker: Ticker | None = None

    def not_ready(self) -> str | None:
        if self.sync is None:
            return self.waiting_for
        return None if self.sync.complete else "the first listing of the cluster is not complete yet"

    def not_alive(self) -> str | None:
        # Waiting for the cluster is no reason to be killed: a fresh process would only wait as well.
        if self.ticker is None or self.sync is None or not self.sync.complete:
            return None
        silent_s = time.monotonic() - self.ticker.last_end_s
        if silent_s > max(60.0, _STUCK_AFTER_TICKS * self.interval_s):
            return f"no tick has ended for {silent_s:.0f}s"
        return None


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one run of the operator is made of."""

    sync: WatchSync
    observer: Observer
    elector: Elector | None
    refiner: Refiner | None
    ticker: Ticker
    kinds: tuple[WatchedKind, ...]


async def run_operator(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code: 0 after a signal, 1 when one of its tasks broke.

    Raises:
        InvalidSettings: there is no cluster to talk to, or a setting cannot be used.
    """
    stopping = asyncio.Event()
    _stop_on_signals(stopping)
    server = ApiServer(connect(settings.cluster), settings.cluster.timeout_s)
    prometheus = _prometheus(settings.observe)
    tracing = set_up_tracing(settings.tracing)
    metrics, health = Metrics(), _Health(settings.loop.interval_s)
    http = HttpServer(settings.http, metrics, Probes(health.not_alive, health.not_ready))
    try:
        log.info(
            "plimsoll %s started", __version__, extra={"port": http.port, "namespaces": settings.cluster.namespaces}
        )
        kinds = await _wait_for_kinds(server, stopping, health)
        if kinds is None:
            return 0
        parts = _put_together(settings, server, prometheus, metrics, tracing, kinds, stopping)
        health.sync, health.ticker = parts.sync, parts.ticker
        return await _operate(settings, parts, stopping)
    finally:
        http.close()
        tracing.close()
        log.info("stopped")


async def _operate(settings: Settings, parts: _Parts, stopping: asyncio.Event) -> int:
    if parts.refiner is not None:
        parts.refiner.start()
    electing = asyncio.create_task(parts.elector.run(), name="elector") if parts.elector else None
    looking = asyncio.create_task(parts.sync.run(stopping), name="watch sync")
    ticking = asyncio.create_task(_tick_when_synced(parts, stopping), name="ticks")
    watching = asyncio.create_task(_watch(settings, parts, stopping), name="watches")
    tasks = [task for task in (electing, looking, ticking, watching) if task is not None]
    await asyncio.wait((*tasks, asyncio.create_task(stopping.wait())), return_when=asyncio.FIRST_COMPLETED)
    broken = not stopping.is_set()
    stopping.set()
    _leave_in_time(1 if broken else 0)
    if broken:
        _tell_what_broke(tasks)
    await _finish(ticking, _TICK_EXIT_S)
    if electing is not None and parts.elector is not None:
        await _cancelled(electing)
        await asyncio.to_thread(parts.elector.release)
    await _cancelled(looking)
    await _finish(watching, _KOPF_EXIT_S)
    if parts.refiner is not None:
        parts.refiner.close()
    parts.observer.close()
    return 1 if broken else 0


def _tell_what_broke(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled():
            error = task.exception()
            what = f"broke: {error}" if error else "ended unasked"
            log.error("%s %s; the process ends so that it is started afresh", task.get_name(), what, exc_info=error)


def _put_together(
    settings: Settings,
    server: ApiServer,
    prometheus: PrometheusSettings,
    metrics: Metrics,
    tracing: Tracing,
    kinds: tuple[WatchedKind, ...],
    stopping: asyncio.Event,
) -> _Parts:
    cache, due = ClusterCache(), asyncio.Event()
    # The host's name alone would let two processes on one machine take each other for themselves.
    identity = f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    elector = None
    if settings.leader.enabled:
        elector = Elector(server, settings.leader, identity, time.monotonic, lambda: datetime.now(UTC), due.set)

    def may_write() -> bool:
        return not stopping.is_set() and (elector is None or elector.is_leader())

    observer = Observer(cache, MetricsReader(prometheus), ScaleReader(server.get, settings.cluster.timeout_s))
    applier = Applier(server, may_write, metrics.count_write, identity, _micro_time)
    refiner = None
    if settings.sizing.simulate:
        refiner = Refiner(settings.sizing.cache_file, metrics.count_simulation)
        metrics.simulations_waiting.set_function(refiner.waiting)
    ticker = Ticker(
        cache, observer, applier, may_write, metrics, settings.loop.interval_s, due, refiner, tracing.tracer
    )
    sync = WatchSync(cache, server, kinds, settings.cluster.namespaces)
    return _Parts(sync, observer, elector, refiner, ticker, kinds)


def _prometheus(settings: ObserveSettings) -> PrometheusSettings:
    if settings.bearer_token_file is not None:
        # Read anew for each query; a file that is not there from the start is a mistake, not a rotation.
        try:
            read_token(settings.bearer_token_file)
        except MetricsUnavailable as error:
            raise InvalidSettings(str(error)) from error
    return PrometheusSettings(
        url=settings.prometheus_url,
        labels=Labels(namespace=settings.namespace_label, pod=settings.pod_label),
        window_s=settings.window_s,
        timeout_s=settings.timeout_s,
        bearer_token_file=settings.bearer_token_file,
        verify_tls=settings.verify_tls,
    )


async def _wait_for_kinds(
    server: ApiServer, stopping: asyncio.Event, health: _Health
) -> tuple[WatchedKind, ...] | None:
    """The kinds to watch, as soon as the API server serves them; None when told to stop before."""
    while not stopping.is_set():
        asking = asyncio.create_task(asyncio.to_thread(served_kinds, server))
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait((asking, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not asking.done():
            # The thread sits in its request for as long as the API server lets it.
            asking.cancel()
            break
        try:
            return asking.result()
        except PlimsollError as error:
            if str(error) != health.waiting_for:
                health.waiting_for = str(error)
                log.warning("%s: trying again every %gs", error, _TRY_AGAIN_S)
        await pause(_TRY_AGAIN_S, stopping)
    _leave_in_time(0)
    return None


async def _watch(settings: Settings, parts: _Parts, stopping: asyncio.Event) -> None:
    """kopf for each scope, with its signal handlers replaced by ours as soon as all have set theirs."""
    ready: list[asyncio.Event] = []
    running: list[asyncio.Task[None]] = []
    for scope in scopes(parts.kinds, settings.cluster.namespaces):
        ready.append(asyncio.Event())
        watching = kopf.operator(
            registry=registry_for(parts.sync, scope.kinds, settings.cluster),
            settings=kopf_settings(),
            clusterwide=not scope.namespaces,
            namespaces=list(scope.namespaces),
            standalone=True,
            stop_flag=stopping,
            ready_flag=ready[-1],
        )
        # A task for each: kopf keeps its credentials in the context of the task.
        running.append(asyncio.create_task(watching, name="kopf"))
    started = asyncio.create_task(_all_set(ready))
    try:
        await asyncio.wait((*running, started), return_when=asyncio.FIRST_COMPLETED)
        _stop_on_signals(stopping)
        done, others = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
        # Told to stop, all end. Otherwise the one that ended takes the others with it: without it much is unseen.
        if stopping.is_set():
            await asyncio.gather(*others)
    finally:
        for task in (started, *running):
            task.cancel()


async def _all_set(flags: Iterable[asyncio.Event]) -> None:
    for flag in flags:
        await flag.wait()


async def _tick_when_synced(parts: _Parts, stopping: asyncio.Event) -> None:
    while not parts.sync.complete and not stopping.is_set():
        await asyncio.sleep(0.1)
    await parts.ticker.run(stopping)


def _leave_in_time(exit_code: int) -> None:
    """End the process even where a worker thread hangs in a request or a solve: Python would wait for it at exit."""

    def leave() -> None:
        log.warning("a request or a solve did not end within %gs: it is left behind", _EXIT_WITHIN_S)
        os._exit(exit_code)

    deadline = threading.Timer(_EXIT_WITHIN_S, leave)
    deadline.daemon = True
    deadline.start()


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


async def _finish(task: "asyncio.Task[None]", timeout_s: float) -> None:
    """Let a task end by itself for a while, then cancel it."""
    await asyncio.wait((task,), timeout=timeout_s)
    await _cancelled(task)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait((task,), timeout=0.5)


def _micro_time(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
