"""SIGTERM ends the operator within five seconds, also where the API server answers nothing any more."""

import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import yaml

from integration.world import GRACEFUL_EXIT_S, LITTLE_RPS, UP_WITHIN_S, World, lease_holder
from plimsoll_testkit.control_plane import ControlPlane


class StallingProxy:
    """Passes bytes on to the API server until told to stall: connections stay open, and nothing comes back."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._server = (address.hostname, address.port)
        self._flowing = threading.Event()
        self._flowing.set()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        self._flowing.clear()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                far = socket.create_connection(self._server)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)


def test_an_api_server_that_hangs_does_not_keep_the_operator_from_leaving(
    world: World, control_plane: ControlPlane, tmp_path: Path
) -> None:
    proxy = StallingProxy(control_plane.url)
    try:
        kubeconfig = yaml.safe_load(Path(control_plane.kubeconfig).read_text())
        kubeconfig["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig))
        world.add_model()
        world.set_demand(LITTLE_RPS)
        operator = world.start_operator("operator", f"cluster.kubeconfig={path}", "observe.timeout_s=0.5")
        world.wait(lambda: lease_holder(world) != "", "a leader", UP_WITHIN_S)
        world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
        assert proxy.connections > 0, "the operator went past the proxy"
        proxy.stall()
        # The next tick, renewal or look is now in the middle of a request.
        time.sleep(2.5)
        asked_s = time.monotonic()
        operator.stop()
        assert time.monotonic() - asked_s <= GRACEFUL_EXIT_S
        assert operator.exit_code == 0
    finally:
        proxy.close()


def test_probes_and_metrics_answer_while_it_runs(world: World) -> None:
    world.add_model()
    world.set_demand(LITTLE_RPS)
    operator = world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    lines = [json.loads(line) for line in world.log_of(operator).splitlines() if line.startswith("{")]
    port = next(line["port"] for line in lines if "port" in line)
    pages = {}
    for name in ("healthz", "readyz", "metrics"):
        with urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5.0) as response:
            pages[name] = response.read().decode()
    assert (pages["healthz"], pages["readyz"]) == ("ok\n", "ok\n")
    assert 'plimsoll_ticks_total{outcome="ok"}' in pages["metrics"]
    assert 'plimsoll_ticks_total{outcome="failed"}' not in pages["metrics"]
    assert 'plimsoll_api_writes_total{kind="Deployment/scale",verb="patch"}' in pages["metrics"]
