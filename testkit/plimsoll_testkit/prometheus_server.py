"""Who scrapes the engines?

In: the URL of an http_sd list of targets and the interval. Out: a real Prometheus on a loopback port that stays the
same when the server is stopped or killed and started again, on the same data. Its directory is gone after the ``with``
block.
"""

import contextlib
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.processes import Process, free_port, wait_until
from plimsoll_testkit.scratch_directory import scratch_directory

DIRECTORY_PREFIX = "plimsoll-prometheus-"
READY_TIMEOUT_S = 30.0


class PrometheusServer:
    """One Prometheus; ``url`` answers queries between ``start`` and ``stop`` or ``kill``."""

    process: Process
    directory: Path

    def __init__(self, service_discovery_url: str, scrape_interval_s: float = 1.0) -> None:
        self.port = free_port()
        self._service_discovery_url = service_discovery_url
        self._scrape_interval_s = scrape_interval_s
        self._cleanup = contextlib.ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        binary = ensure(["prometheus"])["prometheus"]
        with contextlib.ExitStack() as cleanup:
            self.directory = cleanup.enter_context(scratch_directory(DIRECTORY_PREFIX))
            configuration = self.directory / "prometheus.yml"
            configuration.write_text(yaml.safe_dump(self._configuration()))
            self.process = Process(
                "prometheus", self._command(binary, configuration), self.directory / "prometheus.log"
            )
            cleanup.callback(self.process.stop)
            self.start()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def start(self) -> None:
        """Ready to answer queries; also after ``stop`` or ``kill``, with what it had scraped before."""
        self.process.start()
        wait_until(self._is_ready, "Prometheus to be ready", READY_TIMEOUT_S, [self.process])

    def stop(self) -> None:
        """Ended in order."""
        self.process.stop()

    def kill(self) -> None:
        """Ended as by a crash; clients get connection refused."""
        self.process.kill()

    def _command(self, binary: Path, configuration: Path) -> list[str | Path]:
        return [
            binary,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]

    def _configuration(self) -> dict[str, object]:
        interval = f"{round(self._scrape_interval_s * 1000)}ms"
        discovery = {"url": self._service_discovery_url, "refresh_interval": interval}
        # Labels that the list gives beside an address (namespace, pod, ...) become labels of its series.
        engines = {"job_name": "engines", "http_sd_configs": [discovery]}
        return {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "scrape_configs": [engines],
        }

    def _is_ready(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/-/ready", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
