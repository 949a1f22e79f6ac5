"""Are the real parts real: does the scheduler place pods, do nodes come and go, and is nothing left behind?

In: the session's control plane, and for the ends one of its own. Out: what the rest of the integration tests rely on.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException

from plimsoll_testkit.cluster_autoscaler import AutoscaledPool, ClusterAutoscaler
from plimsoll_testkit.control_plane import DIRECTORY_PREFIX, PARTS, ControlPlane
from plimsoll_testkit.json_api import MERGE_PATCH, exists, items, request
from plimsoll_testkit.kwok import POOL_LABEL, STARTUP_ANNOTATION, FixedPools, Taint
from plimsoll_testkit.processes import ProcessFailed, wait_until
from plimsoll_testkit.scratch_directory import remove_abandoned

WITHIN_S = 30.0
"""Each of these takes a second or two on an idle machine; a guess that leaves room for a busy one."""
GPU_TAINT = Taint("nvidia.com/gpu", "present")
TOLERATES_GPU = [{"key": "nvidia.com/gpu", "operator": "Exists"}]


def a_deployment(name: str, pool: str, replicas: int = 1, startup_s: float = 0.0, **resources: str) -> dict[str, Any]:
    limits = {key.replace("gpu", "nvidia.com/gpu"): value for key, value in resources.items()} or {"cpu": "1"}
    spec = {
        "nodeSelector": {"pool": pool},
        "tolerations": TOLERATES_GPU,
        "containers": [{"name": "engine", "image": "none", "resources": {"limits": limits}}],
    }
    template = {
        "metadata": {"labels": {"app": name}, "annotations": {STARTUP_ANNOTATION: str(startup_s)}},
        "spec": spec,
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def create(api: ApiClient, namespace: str, deployment: Mapping[str, Any]) -> None:
    request(api, "POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment)


def scale(api: ApiClient, namespace: str, name: str, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
    request(api, "PATCH", path, {"spec": {"replicas": replicas}}, content_type=MERGE_PATCH)


def ready_replicas(api: ApiClient, namespace: str, name: str) -> int:
    deployment = request(api, "GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    return int(deployment["status"].get("readyReplicas", 0))


def pods(api: ApiClient, namespace: str) -> list[dict[str, Any]]:
    return items(api, f"/api/v1/namespaces/{namespace}/pods")


def nodes(api: ApiClient, pool: str) -> set[str]:
    listed = items(api, "/api/v1/nodes", {"labelSelector": f"{POOL_LABEL}={pool}"})
    return {node["metadata"]["name"] for node in listed}


def eventually(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, WITHIN_S)


def holds_for(condition: Callable[[], bool], seconds: float) -> bool:
    """It was true at every look during that time."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        if not condition():
            return False
        time.sleep(0.1)
    return True


def test_scheduler_places_pods_only_where_resources_are_left(api: ApiClient, namespace: str, pools: FixedPools) -> None:
    pool = pools.add("gpu", node_count=2, allocatable={"cpu": "32", "memory": "128Gi", "nvidia.com/gpu": "2"})
    create(api, namespace, a_deployment("chat", pool.pool, replicas=5, gpu="1"))

    eventually(lambda: ready_replicas(api, namespace, "chat") == 4, "four pods on four GPUs")

    placed = [pod["spec"].get("nodeName") for pod in pods(api, namespace)]
    assert sorted(str(node) for node in placed) == sorted(["None", *[f"{pool.pool}-1"] * 2, *[f"{pool.pool}-2"] * 2])


def test_pod_is_running_but_not_ready_until_its_startup_time_has_passed(
    api: ApiClient, namespace: str, pools: FixedPools
) -> None:
    pool = pools.add()
    create(api, namespace, a_deployment("slow", pool.pool, startup_s=4))
    eventually(lambda: [pod["status"]["phase"] for pod in pods(api, namespace)] == ["Running"], "a running pod")
    started_s = time.monotonic()

    assert ready_replicas(api, namespace, "slow") == 0
    eventually(lambda: ready_replicas(api, namespace, "slow") == 1, "a ready pod")

    # The server keeps whole seconds, so up to one of the four may be missing; half a second is for our own polling.
    assert time.monotonic() - started_s >= 2.5


def test_writing_to_a_starting_pod_does_not_begin_its_startup_anew(
    api: ApiClient, namespace: str, pools: FixedPools
) -> None:
    pool = pools.add()
    create(api, namespace, a_deployment("slow", pool.pool, startup_s=3))
    eventually(lambda: [pod["status"]["phase"] for pod in pods(api, namespace)] == ["Running"], "a running pod")
    path = f"/api/v1/namespaces/{namespace}/pods/{pods(api, namespace)[0]['metadata']['name']}"
    started_s = time.monotonic()

    while ready_replicas(api, namespace, "slow") == 0 and time.monotonic() - started_s < WITHIN_S:
        body = {"metadata": {"annotations": {"seen": str(time.monotonic())}}}
        request(api, "PATCH", path, body, content_type=MERGE_PATCH)
        time.sleep(0.2)

    assert time.monotonic() - started_s < 10


def test_other_users_may_do_nothing_until_a_role_says_so(control_plane: ControlPlane, namespace: str) -> None:
    nobody = control_plane.kubeconfig_for_user("nobody-in-particular")
    account = control_plane.kubeconfig_for_service_account(namespace, "default")

    for kubeconfig in (nobody, account):
        with control_plane.api_client(kubeconfig) as client, pytest.raises(ApiException) as refusal:
            items(client, f"/api/v1/namespaces/{namespace}/pods")
        assert refusal.value.status == 403


def an_autoscaled_pool(name: str, **overrides: Any) -> AutoscaledPool:
    defaults: dict[str, Any] = {
        "node_labels": {"pool": name},
        "allocatable": {"cpu": "32", "memory": "128Gi", "nvidia.com/gpu": "2"},
        "boot_s": 1.0,
        "max_nodes": 3,
        "empty_removal_s": 2.0,
        "taints": (GPU_TAINT,),
    }
    return AutoscaledPool(name=name, **{**defaults, **overrides})


def test_autoscaler_boots_as_many_nodes_as_pending_pods_need_and_removes_empty_ones(
    control_plane: ControlPlane, api: ApiClient, namespace: str
) -> None:
    pool = f"l4-{namespace}"
    with ClusterAutoscaler(control_plane.api_client, [an_autoscaled_pool(pool)]) as autoscaler:
        create(api, namespace, a_deployment("chat", pool, replicas=3, gpu="1"))
        eventually(lambda: ready_replicas(api, namespace, "chat") == 3, "three pods on booted nodes")
        assert len(nodes(api, pool)) == 2  # three pods of one GPU, two GPUs a node

        scale(api, namespace, "chat", 0)
        eventually(lambda: not nodes(api, pool), "the empty nodes to be removed")

        # Two nodes, each booting for a second and then empty for at least two.
        assert autoscaler.node_seconds(pool) >= 2 * 3
        assert autoscaler.failed_looks == 0


def test_autoscaler_never_passes_the_cap_of_its_pool(
    control_plane: ControlPlane, api: ApiClient, namespace: str
) -> None:
    pool = f"l4-{namespace}"
    with ClusterAutoscaler(control_plane.api_client, [an_autoscaled_pool(pool, max_nodes=1, boot_s=0.2)]):
        create(api, namespace, a_deployment("chat", pool, replicas=5, gpu="1"))
        eventually(lambda: ready_replicas(api, namespace, "chat") == 2, "two pods on one node")

        assert holds_for(lambda: len(nodes(api, pool)) == 1, seconds=2)


def test_autoscaler_gives_nothing_while_out_of_stock_and_delivers_when_stock_is_back(
    control_plane: ControlPlane, api: ApiClient, namespace: str
) -> None:
    pool = f"l4-{namespace}"
    with ClusterAutoscaler(control_plane.api_client, [an_autoscaled_pool(pool, boot_s=0.5)]) as autoscaler:
        autoscaler.set_out_of_stock(pool, True)
        create(api, namespace, a_deployment("chat", pool, gpu="1"))
        assert holds_for(lambda: not nodes(api, pool), seconds=3)

        autoscaler.set_out_of_stock(pool, False)
        eventually(lambda: ready_replicas(api, namespace, "chat") == 1, "a pod once nodes are in stock")


def test_reclaimed_node_takes_its_pods_along_and_is_replaced(
    control_plane: ControlPlane, api: ApiClient, namespace: str
) -> None:
    pool = f"spot-{namespace}"
    with ClusterAutoscaler(control_plane.api_client, [an_autoscaled_pool(pool, boot_s=0.2)]) as autoscaler:
        create(api, namespace, a_deployment("chat", pool, gpu="1"))
        eventually(lambda: ready_replicas(api, namespace, "chat") == 1, "a pod on the first node")
        first = {pod["metadata"]["name"] for pod in pods(api, namespace)}

        gone = autoscaler.reclaim(pool)

        assert not exists(api, f"/api/v1/nodes/{gone[0]}")
        eventually(
            lambda: (
                ready_replicas(api, namespace, "chat") == 1
                and first.isdisjoint(pod["metadata"]["name"] for pod in pods(api, namespace))
            ),
            "another pod on another node",
        )


def test_nothing_is_left_after_the_end() -> None:
    with ControlPlane() as control_plane:
        pids = [process.pid for process in control_plane.processes.values()]
        directory = control_plane.directory
        assert [is_alive(pid) for pid in pids] == [True] * len(PARTS)

    assert [is_alive(pid) for pid in pids] == [False] * len(PARTS)
    assert not directory.exists()


def test_part_that_does_not_start_is_named_with_its_last_words_and_takes_the_others_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho the disk is full >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    control_plane = ControlPlane()

    with pytest.raises(ProcessFailed, match=r"kube-apiserver ended with code 3(.|\n)*the disk is full"), control_plane:
        pass

    assert not control_plane.processes["etcd"].is_running
    assert not control_plane.directory.exists()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_part_outlives_the_process_that_started_it(ending: signal.Signals, tmp_path: Path) -> None:
    program = (
        "import time\n"
        "from plimsoll_testkit.control_plane import ControlPlane\n"
        "with ControlPlane() as control_plane:\n"
        "    pids = [process.pid for process in control_plane.processes.values()]\n"
        "    print(control_plane.directory, *pids, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        directory, *words = parent.stdout.readline().split()
        pids = [int(word) for word in words]
        assert [is_alive(pid) for pid in pids] == [True] * len(PARTS)
        parent.send_signal(ending)

    eventually(lambda: not any(is_alive(pid) for pid in pids), "all parts to be gone")
    if ending is signal.SIGKILL:
        # Nobody was left to tidy up: the next control plane does.
        remove_abandoned(DIRECTORY_PREFIX, tmp_path, settle_s=0.0)
    assert not Path(directory).exists()


def is_alive(pid: int) -> bool:
    """The process runs; one that has ended and only waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
