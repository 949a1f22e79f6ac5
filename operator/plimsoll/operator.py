"""How does the process run, and how does it end?

In: settings. Out: an exit code. kopf watches, the elector holds the lease, one loop ticks, a small server answers
probes. The order of the end matters: no new write, the write under way finished, the lease released, then kopf; within
five seconds. Our tasks are created before kopf's, since kopf cancels at exit what started after it. Design section 7.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import kopf

from plimsoll import __version__
from plimsoll.api_server import ApiServer, connect
from plimsoll.apply import Applier
from plimsoll.errors import InvalidSettings, PlimsollError
from plimsoll.leader import Elector
from plimsoll.observe import (
    ClusterCache,
    Labels,
    MetricsReader,
    Observer,
    PrometheusSettings,
    ScaleReader,
)
from plimsoll.settings import ObserveSettings, Settings
from plimsoll.telemetry import HttpServer, Metrics, Probes
from plimsoll.tick import Ticker
from plimsoll.watching import WatchedKind, WatchSync, kopf_settings, registry_for, served_kinds

log = logging.getLogger(__name__)

_LOOK_WHILE_INCOMPLETE_S = 0.5
_LOOK_AGAIN_S = 300.0
_TRY_AGAIN_S = 5.0
_KOPF_EXIT_S = 1.5
_TICK_EXIT_S = 2.5
_EXIT_WITHIN_S = 4.5
_STUCK_AFTER_TICKS = 6.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one run of the operator is made of."""

    sync: WatchSync
    observer: Observer
    elector: Elector | None
    ticker: Ticker
    http: HttpServer
    kinds: tuple[WatchedKind, ...]


async def run_operator(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code: 0 after a signal, 1 when the watches broke.

    Raises:
        InvalidSettings: there is no cluster to talk to, or a setting cannot be used.
    """
    stopping = asyncio.Event()
    _stop_on_signals(stopping)
    server = ApiServer(connect(settings.cluster), settings.cluster.timeout_s)
    kinds = await _wait_for_kinds(server, stopping)
    if kinds is None:
        return 0
    parts = _put_together(settings, server, kinds, stopping)
    log.info(
        "plimsoll %s started", __version__, extra={"port": parts.http.port, "namespaces": settings.cluster.namespaces}
    )
    electing = asyncio.create_task(parts.elector.run(), name="elector") if parts.elector else None
    looking = asyncio.create_task(_keep_in_sync(parts.sync, stopping), name="watch sync")
    ticking = asyncio.create_task(_tick_when_synced(parts, stopping), name="ticks")
    watching = asyncio.create_task(_watch(settings, parts, stopping), name="watches")
    await asyncio.wait(
        (watching, ticking, looking, asyncio.create_task(stopping.wait())), return_when="FIRST_COMPLETED"
    )
    broken = not stopping.is_set()
    stopping.set()
    _leave_in_time(1 if broken else 0)
    await _finish(ticking, _TICK_EXIT_S)
    if electing is not None and parts.elector is not None:
        await _cancelled(electing)
        await asyncio.to_thread(parts.elector.release)
    await _cancelled(looking)
    await _finish(watching, _KOPF_EXIT_S)
    parts.observer.close()
    parts.http.close()
    for task in (watching, ticking, looking):
        if broken and task.done() and not task.cancelled() and task.exception() is not None:
            log.error("%s broke: %s; the process ends so that it is started afresh", task.get_name(), task.exception())
    log.info("stopped")
    return 1 if broken else 0


def _put_together(
    settings: Settings, server: ApiServer, kinds: tuple[WatchedKind, ...], stopping: asyncio.Event
) -> _Parts:
    cache, metrics = ClusterCache(), Metrics()
    # The host's name alone would let two processes on one machine take each other for themselves.
    identity = f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    elector = None
    if settings.leader.enabled:
        elector = Elector(server, settings.leader, identity, time.monotonic, lambda: datetime.now(UTC))

    def may_write() -> bool:
        return not stopping.is_set() and (elector is None or elector.is_leader())

    observer = Observer(
        cache,
        MetricsReader(_prometheus(settings.observe)),
        ScaleReader(server.get, settings.cluster.timeout_s),
    )
    applier = Applier(server, may_write, metrics.count_write, identity, _micro_time)
    ticker = Ticker(cache, observer, applier, may_write, metrics, settings.loop.interval_s)
    sync = WatchSync(cache, server, kinds, settings.cluster.namespaces)
    probes = Probes(
        not_alive=lambda: _not_alive(ticker, sync, settings.loop.interval_s),
        not_ready=lambda: None if sync.complete else "the first listing of the cluster is not complete yet",
    )
    return _Parts(sync, observer, elector, ticker, HttpServer(settings.http, metrics, probes), kinds)


def _prometheus(settings: ObserveSettings) -> PrometheusSettings:
    headers = {}
    if settings.bearer_token_file is not None:
        try:
            token = settings.bearer_token_file.read_text().strip()
        except OSError as error:
            raise InvalidSettings(f"observe.bearer_token_file cannot be read: {error}") from error
        headers["Authorization"] = f"Bearer {token}"
    return PrometheusSettings(
        url=settings.prometheus_url,
        labels=Labels(namespace=settings.namespace_label, pod=settings.pod_label),
        window_s=settings.window_s,
        timeout_s=settings.timeout_s,
        headers=headers,
        verify_tls=settings.verify_tls,
    )


async def _wait_for_kinds(server: ApiServer, stopping: asyncio.Event) -> tuple[WatchedKind, ...] | None:
    """The kinds to watch, as soon as the API server serves them; None when told to stop before."""
    told = ""
    while not stopping.is_set():
        try:
            return await asyncio.to_thread(served_kinds, server)
        except PlimsollError as error:
            if str(error) != told:
                told = str(error)
                log.warning("%s: trying again every %gs", told, _TRY_AGAIN_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), timeout=_TRY_AGAIN_S)
    return None


async def _watch(settings: Settings, parts: _Parts, stopping: asyncio.Event) -> None:
    """kopf, with its signal handlers replaced by ours as soon as it has set them."""
    ready = asyncio.Event()
    namespaces = settings.cluster.namespaces
    running = asyncio.create_task(
        kopf.operator(
            registry=registry_for(parts.sync, parts.kinds, settings.cluster),
            settings=kopf_settings(),
            clusterwide=not namespaces,
            namespaces=list(namespaces),
            standalone=True,
            stop_flag=stopping,
            ready_flag=ready,
        ),
        name="kopf",
    )
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        _stop_on_signals(stopping)
        await running
    finally:
        waiting.cancel()
        running.cancel()


async def _keep_in_sync(sync: WatchSync, stopping: asyncio.Event) -> None:
    """Look until the first listing is complete, then every few minutes for what vanished unseen."""
    while not stopping.is_set():
        try:
            complete, gone = await asyncio.to_thread(sync.look)
        except PlimsollError as error:
            log.warning("cannot compare the cache with the cluster: %s", error)
        else:
            sync.forget(gone)
            if complete and not sync.complete:
                log.info("the first listing is complete")
            sync.complete = sync.complete or complete
        with contextlib.suppress(TimeoutError):
            pause_s = _LOOK_AGAIN_S if sync.complete else _LOOK_WHILE_INCOMPLETE_S
            await asyncio.wait_for(stopping.wait(), timeout=pause_s)


async def _tick_when_synced(parts: _Parts, stopping: asyncio.Event) -> None:
    while not parts.sync.complete and not stopping.is_set():
        await asyncio.sleep(0.1)
    await parts.ticker.run(stopping)


def _not_alive(ticker: Ticker, sync: WatchSync, interval_s: float) -> str | None:
    silent_s = time.monotonic() - ticker.last_end_s
    if sync.complete and silent_s > max(60.0, _STUCK_AFTER_TICKS * interval_s):
        return f"no tick has ended for {silent_s:.0f}s"
    return None


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
