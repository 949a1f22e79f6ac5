"""From nothing to Auto, as README and manual tell it: every command that they show for a cluster, typed as it stands.

On a control plane of the test's own, since the chart is installed as on a cluster that has never seen it. Pods on
KWOK's nodes do not run, so the operator is a process with the account, roles and settings of the installed chart, and
the engine's metrics are pretended.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from integration.small_exporter import Exporter, Page
from plimsoll.cli import app
from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.chart import Release
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import items, request
from plimsoll_testkit.kwok import NodeShape, Taint, create_nodes
from plimsoll_testkit.manual import ROOT, RunBy, Shown, shown
from plimsoll_testkit.processes import Process, wait_until
from plimsoll_testkit.prometheus_server import PrometheusServer

PROMETHEUS_OPERATOR_CRDS = Path(__file__).with_name("prometheus_operator_crds.yaml")
SYSTEM = "plimsoll-system"
SCRAPE_S = 0.5
HAPPENS_WITHIN_S = 120.0
"""Ticks, scheduling and start-up take some 10 s; the rest is for a busy machine."""
STAGES = (
    ("install", r"helm install "),
    ("apply", r"kubectl apply -f examples/quickstart/"),
    ("hands off", r"plimsoll (pause|resume) "),
    ("change", r"helm upgrade |kubectl apply "),
    ("look", r""),
)
"""When in the week a command is typed: the first that it begins with."""
CHAT = "/apis/plimsoll.dev/v1alpha1/namespaces/default/inferencedeployments/chat"
L4_REPLICAS = "/apis/apps/v1/namespaces/default/deployments/chat-l4/scale"
ONE_REPLICA_RPS, TWO_REPLICAS_RPS = 2.0, 5.0
"""With 600 and 200 tokens, `plimsoll plan` of the quickstart says 3.2 safe requests per second and replica."""


def commands_of(stage: str) -> list[str]:
    texts = dict.fromkeys(one.text for one in shown() if one.run_by is RunBy.CLUSTER)
    return [text for text in texts if next(name for name, begins in STAGES if re.match(begins, text)) == stage]


class Reader:
    """Somebody with the repository in front of them, and a cluster that has just been made."""

    def __init__(self, exporter: Exporter, directory: Path, cleanup: ExitStack) -> None:
        self.control_plane = cleanup.enter_context(ControlPlane())
        self.api = cleanup.enter_context(self.control_plane.api_client())
        self._prometheus = cleanup.enter_context(PrometheusServer(exporter.service_discovery_url, SCRAPE_S))
        self._exporter, self._cleanup = exporter, cleanup
        self._directory = directory
        for name in ("examples", "charts", "policies"):
            copytree(ROOT / name, directory / name)
        binaries = directory / "bin"
        binaries.mkdir()
        for name, path in ensure(["kubectl", "helm"]).items():
            (binaries / name).symlink_to(path)
        self._path = f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def types(self, command: str) -> str:
        """What it prints; it ends with 0."""
        if command.startswith("plimsoll "):
            # In this process: a start costs more than a second, and other tests have it.
            words = [*Shown("", command).words[1:], f"--kubeconfig={self.control_plane.kubeconfig}"]
            told = CliRunner().invoke(app, words)
            assert (told.exit_code, told.exception) == (0, None), f"{command}\n{told.output}"
            return told.stdout
        environment = {
            **os.environ,
            "PATH": self._path,
            "HOME": str(self._directory),
            "KUBECONFIG": str(self.control_plane.kubeconfig),
        }
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def types_all(self, stage: str) -> dict[str, str]:
        """What each prints. Safe rates of a what-if are estimated: simulating them is for other tests."""
        asks = re.compile(r"plimsoll explain .*--(if|turning-points)")
        return {one: self.types(f"{one} --quick" if asks.match(one) else one) for one in commands_of(stage)}

    def edits(self, file: str, before: str, after: str) -> None:
        path = self._directory / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def is_prepared(self) -> None:
        """As the quickstart's pools say; and a Prometheus Operator has brought its kinds."""
        install_definitions(self.api, list(yaml.safe_load_all(PROMETHEUS_OPERATOR_CRDS.read_text())), manager="user")
        gpu = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
        l4 = NodeShape("l4", {"node.kubernetes.io/instance-type": "g6.xlarge"}, gpu, [Taint("nvidia.com/gpu")])
        create_nodes(self.api, l4, ["l4-0", "l4-1", "l4-2"])
        create_nodes(
            self.api, NodeShape("amx", {"example.com/pool": "cpu-amx"}, {"cpu": "64", "memory": "256Gi"}), ["amx-0"]
        )

    def has_demand(self, rate_rps: float) -> None:
        """The engine's own metrics on its first pod."""
        [pod, *_] = items(self.api, "/api/v1/namespaces/default/pods", {"labelSelector": "app=chat,hardware=l4"})
        page = self._exporter.pages.setdefault(
            "first-week", Page({"namespace": "default", "pod": pod["metadata"]["name"]})
        )
        model = 'model_name="Qwen/Qwen2.5-7B-Instruct"'
        page.gauges = {f"vllm:num_requests_{state}{{{model}}}": 0.0 for state in ("running", "waiting")}
        page.rates = {f'vllm:request_success_total{{{model},finished_reason="stop"}}': rate_rps}
        for histogram, tokens in (("request_prompt_tokens", 600.0), ("request_generation_tokens", 200.0)):
            page.rates |= {
                f"vllm:{histogram}_count{{{model}}}": rate_rps,
                f"vllm:{histogram}_sum{{{model}}}": tokens * rate_rps,
                f'vllm:{histogram}_bucket{{{model},le="{tokens:g}"}}': rate_rps,
                f'vllm:{histogram}_bucket{{{model},le="+Inf"}}': rate_rps,
            }

    def has_an_operator(self) -> None:
        """What the installed chart's pod would be."""
        values = {"settings": {"observe": {"prometheus_url": self._prometheus.url}}}
        release = Release(self.control_plane, self.api, "plimsoll", SYSTEM, values)
        command = release.command(self._directory / "settings.yaml", release.kubeconfig())
        quick = ("--tick-interval=1", "--listen=127.0.0.1:0", "--set=observe.window_s=4", "--set=observe.timeout_s=1")
        operator = Process("operator", [*command, *quick], self._directory / "operator.log", dict(os.environ))
        operator.start()
        self._cleanup.callback(operator.stop)
        self._operator = operator

    def waits_for(self, condition: Any, what: str) -> None:
        wait_until(condition, what, HAPPENS_WITHIN_S, [self._operator])

    def is_well(self) -> bool:
        """Its demand is known, and what runs carries it."""
        conditions = (request(self.api, "GET", CHAT).get("status") or {}).get("conditions") or ()
        return {"DemandKnown", "Ready"} <= {one["type"] for one in conditions if one["status"] == "True"}

    def replicas(self) -> int:
        return int(request(self.api, "GET", L4_REPLICAS)["status"].get("replicas", 0))


@pytest.fixture
def reader(exporter: Exporter, tmp_path: Path) -> Iterator[Reader]:
    with ExitStack() as cleanup:
        yield Reader(exporter, tmp_path, cleanup)


@pytest.mark.waits_long
def test_the_first_week_goes_as_the_manual_tells(reader: Reader) -> None:
    reader.types_all("install")
    reader.is_prepared()
    reader.types_all("apply")
    reader.has_an_operator()
    reader.has_demand(ONE_REPLICA_RPS)
    reader.waits_for(reader.is_well, "chat to be well")
    told = reader.types_all("look")
    assert "gpu-l4" in told["kubectl get infd,cpool"]
    assert "chat" in told["plimsoll status"]
    assert " req/s, 600 prompt and 200 output tokens a request" in told["plimsoll explain chat"]
    # In Recommend it tells what it would do, and does nothing.
    reader.has_demand(TWO_REPLICAS_RPS)
    reader.waits_for(lambda: not reader.is_well(), "chat to need more")
    assert reader.replicas() == 1
    reader.edits("examples/quickstart/chat.yaml", "mode: Recommend", "mode: Auto")
    reader.types_all("apply")
    reader.waits_for(lambda: reader.replicas() >= 2, "Plimsoll to scale chat-l4")
    # What Git applies takes no replica away.
    reader.types_all("apply")
    assert reader.replicas() >= 2
    for command in commands_of("hands off"):
        reader.types(command)
        mode = request(reader.api, "GET", CHAT)["spec"]["mode"]
        assert mode == ("Paused" if "pause" in command else "Auto")
    reader.types_all("change")
    values = yaml.safe_load(reader.types("helm get values plimsoll --namespace plimsoll-system --output yaml"))
    # No upgrade forgot what was set before it.
    assert values["image"]["repository"] == "registry.example.com/plimsoll"
    assert values["settings"]["observe"]["prometheus_url"]
    assert values["prometheusRule"]["enabled"]


def test_every_stage_has_commands() -> None:
    assert [name for name, _ in STAGES if not commands_of(name)] == []
