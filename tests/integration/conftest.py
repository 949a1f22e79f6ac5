"""What does every integration test have?

One real control plane for the run, a namespace of its own, and pools of fake nodes whose names no other test has. Tests
that run side by side (pytest -n) have one control plane a worker, because an operator writes the status of every
ComputePool in its cluster: two operators that serve two namespaces would undo each other's. A control plane that cannot
be had is an error of every test that asks for it, never a skip.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubernetes.client import ApiClient

from integration.small_exporter import Exporter, an_exporter
from integration.world import World
from plimsoll_testkit.binaries import BinaryMissing, ensure
from plimsoll_testkit.browser import a_browser
from plimsoll_testkit.control_plane import PARTS, ControlPlane
from plimsoll_testkit.json_api import delete, items, request
from plimsoll_testkit.kwok import FixedPools
from plimsoll_testkit.processes import die_with_parent, wait_until
from plimsoll_testkit.prometheus_server import PrometheusServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRAPE_S = 0.5
SETTLES_WITHIN_S = 60.0
"""Filling or emptying a namespace takes a second; a guess that leaves room for a busy machine."""
WORKLOADS = (
    "/apis/plimsoll.dev/v1alpha1/namespaces/{namespace}/inferencedeployments",
    "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    "/apis/apps/v1/namespaces/{namespace}/deployments",
    "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    "/api/v1/namespaces/{namespace}/pods",
)
"""Collections, owners before what they own; one whose kind is not installed is as good as empty."""


def pytest_configure(config: pytest.Config) -> None:
    """A worker whose pytest was killed may hang in the test it is at, and keep its control plane: it ends as well."""
    if hasattr(config, "workerinput"):
        die_with_parent()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait longest come first: side by side with others they cost no time, alone at the end they would."""
    items.sort(key=lambda item: item.get_closest_marker("waits_long") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds what is missing before the first test, in the open: cold, it takes far longer than one test may."""
    needed = any("control_plane" in getattr(item, "fixturenames", ()) for item in session.items)
    if not needed or session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            ensure([*PARTS, "prometheus", "helm"])
    except BinaryMissing:
        # The fixture below says so in the same words for each test that needs it, and the other tests still run.
        return


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One for the whole run or worker, with its kubeconfig."""
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Iterator[ApiClient]:
    """The admin's client."""
    with control_plane.api_client() as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Headless Chromium, for the pages that Plimsoll writes."""
    with a_browser() as found:
        yield found


@pytest.fixture
def namespace(api: ApiClient) -> Iterator[str]:
    """A namespace of the test's own in which pods can be created; emptied afterwards, and removed soon after."""
    name = f"test-{secrets.token_hex(4)}"
    path = f"/api/v1/namespaces/{name}"
    request(api, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    wait_until(lambda: bool(items(api, f"{path}/serviceaccounts")), f"the account of {name}", SETTLES_WITHIN_S)
    yield name
    # The namespace controller waits five seconds before it empties a namespace. What an operator or a scheduler of the
    # next test could still see goes at once, and the controller's part is left to run beside the next test.
    for kind in WORKLOADS:
        delete(api, kind.format(namespace=name), grace_s=0)
    delete(api, path)
    wait_until(lambda: not items(api, f"{path}/pods"), f"the pods of {name} to be gone", SETTLES_WITHIN_S)


@pytest.fixture
def pools(api: ApiClient) -> Iterator[FixedPools]:
    """Makes pools of nodes, removed after the test."""
    fixed = FixedPools(api)
    yield fixed
    fixed.remove()


@pytest.fixture(scope="session")
def exporter() -> Iterator[Exporter]:
    """Metrics that tests set."""
    with an_exporter() as running:
        yield running


@pytest.fixture
def scale_targets() -> Sequence[Mapping[str, str]]:
    """More scalable kinds that the operator's role must allow for; a test module that has some overrides this."""
    return ()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where operators keep the safe rates that they have simulated."""
    return tmp_path_factory.mktemp("simulated") / "safe-rates.jsonl"


@pytest.fixture
def world(
    control_plane: ControlPlane,
    api: ApiClient,
    namespace: str,
    pools: FixedPools,
    exporter: Exporter,
    tmp_path: Path,
    simulated: Path,
    scale_targets: Sequence[Mapping[str, str]],
) -> Iterator[World]:
    """Two pools, two profiles and a Prometheus of the test's own; operators are started by the test."""
    with PrometheusServer(exporter.service_discovery_url, SCRAPE_S) as prometheus:
        made = World(control_plane, api, namespace, pools, prometheus, exporter, tmp_path, simulated, scale_targets)
        yield made
        made.close()
