"""A small world for one operator: two pools, two profiles, a model that can run on either, and demand set by the test.

In: a namespace of a real control plane, a real Prometheus that scrapes a gauge. Out: verbs for tests: set demand, start
an operator process, wait for replicas, and a record of every change of ready capacity as a watch sees it.
The CPU pool is paid for and slow, the GPU pool costs money and is fast: little demand belongs on the one, much on the
other.
"""

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient, AppsV1Api
from kubernetes.watch import Watch

from integration.small_exporter import Exporter, Page
from plimsoll.api import API_VERSION, render_crds
from plimsoll_testkit.chart import Release
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import MERGE_PATCH, SERVER_SIDE_APPLY, delete, exists, items, request
from plimsoll_testkit.kwok import STARTUP_ANNOTATION, FixedPools
from plimsoll_testkit.processes import Process, wait_until
from plimsoll_testkit.prometheus_server import PrometheusServer

CPU_REPLICAS_MAX = 4
LITTLE_RPS = 1.0
"""What the paid CPU pool carries."""
MUCH_RPS = 12.0
"""Far beyond what the CPU pool carries."""
SCALE_DOWN_S = 3.0
GRACEFUL_EXIT_S = 5.0
"""What the operator has for leaving after SIGTERM."""
TICK_S = 1.0
UP_WITHIN_S = 40.0
"""Ticks, scheduling and start-up take some 6 s; the rest is for a busy machine."""
LISTED = "the first listing is complete"
"""What an operator logs then."""
MEDIAN, NEARLY_THE_HIGHEST = 0.5, 0.9
"""Quantiles of the last minute of demand: of the preset batch, and of the built-in policy."""
DOWN_WITHIN_S = 130.0
"""By the median, demand counts as gone when it has been gone for as long as it had been there, at most half a minute;
the rest is for a busy machine."""


_KIND = "InferenceDeployment"


def install_crds(api: ApiClient) -> None:
    """The four kinds are served."""
    install_definitions(api, [yaml.safe_load(text) for text in render_crds().values()], manager="user")


def apply(api: ApiClient, path: str, manifest: Mapping[str, Any], manager: str = "user") -> dict[str, Any]:
    """Server-side apply, as GitOps tools do."""
    return request(api, "PATCH", path, manifest, {"fieldManager": manager, "force": "false"}, SERVER_SIDE_APPLY)


@dataclass
class CapacityRecord:
    """Ready replicas by workload at every watch event."""

    events: list[dict[str, int]] = field(default_factory=list)


class World:
    """One namespace's world."""

    def __init__(
        self,
        control_plane: ControlPlane,
        api: ApiClient,
        namespace: str,
        pools: FixedPools,
        prometheus: PrometheusServer,
        exporter: Exporter,
        directory: Path,
        simulated: Path,
        scale_targets: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.api = api
        self.namespace = namespace
        self.prometheus = prometheus
        self.directory = directory
        self._simulated = simulated
        self.operators: list[Process] = []
        self._closing = threading.Event()
        self._followers: list[threading.Thread] = []
        self._control_plane = control_plane
        self._exporter = exporter
        self._cluster_objects: list[str] = []
        self.cpu = pools.add("cpu", CPU_REPLICAS_MAX, {"cpu": "16", "memory": "64Gi"}).pool
        self.gpu = pools.add("gpu", 3, {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "1"}).pool
        self.page = Page({"namespace": namespace})
        exporter.pages[namespace] = self.page
        install_crds(api)
        self._scale_targets = scale_targets
        self.serve([namespace])
        self._add_pool(self.cpu, {"paid": {"amortisedPerHour": "0.50"}}, CPU_REPLICAS_MAX, "xeon", {"cpu": "16"})
        self._add_pool(self.gpu, {"onDemandPerHour": "4.00"}, 3, "h100", {"cpu": "16", "nvidia.com/gpu": "1"})
        self._profiles: dict[str, tuple[str, Mapping[str, float], int]] = {
            "gpu": ("h100", {"alpha": 7, "beta": 0.02, "pi": 0.02, "kappa": 0.0001}, 256),
            "cpu": ("xeon", {"alpha": 40, "beta": 2, "pi": 0.6, "kappa": 0.001}, 16),
        }
        for place, profile in self._profiles.items():
            self._add_profile(place, *profile)
        self.plan_for(MEDIAN)

    # --- What the user writes ----------------------------------------------------------------------------------------

    def add_model(
        self,
        name: str = "chat",
        kind: str = "Deployment",
        mode: str = "Auto",
        extra: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """A model with a variant on each pool, both without replicas yet; `spec` replaces fields of its spec."""
        self.add_workload(f"{name}-gpu", self.gpu, {"cpu": "8", "nvidia.com/gpu": "1"}, kind)
        self.add_workload(f"{name}-cpu", self.cpu, {"cpu": "12"}, kind)
        self.apply_model(name, kind, mode, extra, **spec)

    def apply_model(
        self,
        name: str = "chat",
        kind: str = "Deployment",
        mode: str = "Auto",
        extra: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """The InferenceDeployment as its user applies it; `extra` adds GPU variants by name and pool."""
        self._apply_model(self.model_manifest(name, kind, mode, extra, **spec))

    def model_manifest(
        self,
        name: str,
        kind: str = "Deployment",
        mode: str = "Auto",
        extra: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """The same as a manifest."""
        pools = {"gpu": self.gpu, "cpu": self.cpu, **(extra or {})}
        variants = [
            {
                "name": place,
                "pool": pools[place],
                "profile": f"{self.namespace}-{'cpu' if place == 'cpu' else 'gpu'}",
                "targetRef": {"apiVersion": "apps/v1", "kind": kind, "name": f"{name}-{place}"},
                "replicas": {"min": 0, "max": CPU_REPLICAS_MAX if place == "cpu" else 3},
                "service": f"{name}-{place}",
            }
            for place in pools
        ]
        return self._model_manifest(name, variants, mode, spec)

    def apply_templated_model(self, *variants: str, name: str = "chat", mode: str = "Auto") -> None:
        """The InferenceDeployment with GPU variants of these names, whose Deployments Plimsoll makes itself."""
        template = self._pod_template(self.gpu, {"cpu": "8", "nvidia.com/gpu": "1"}, {"model": name})
        self.apply_variants(
            name,
            [
                {
                    "name": variant,
                    "pool": self.gpu,
                    "profile": f"{self.namespace}-gpu",
                    "template": template,
                    "replicas": {"min": 0, "max": 3},
                }
                for variant in variants
            ],
            mode,
        )

    def apply_variants(self, name: str, variants: list[dict[str, Any]], mode: str = "Auto") -> None:
        """The InferenceDeployment with these variants."""
        self._apply_model(self._model_manifest(name, variants, mode))

    def _apply_model(self, manifest: Mapping[str, Any]) -> None:
        apply(self.api, f"{self.models_path}/{manifest['metadata']['name']}", manifest)

    def _model_manifest(
        self, name: str, variants: list[dict[str, Any]], mode: str, replaced: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        arrivals = f'test_arrivals{{namespace="{self.namespace}"}}'
        spec = {
            "model": "acme/llama",
            "mode": mode,
            "slo": {"ttft": {"p95": "3s"}, "tpot": {"p95": "200ms"}},
            "demand": {
                "engine": "Custom",
                "queries": {"arrivalRate": arrivals, "promptTokens": "vector(256)", "outputTokens": "vector(64)"},
            },
            "policy": f"{self.namespace}-quick",
            "routing": {"type": "LoadAware"},
            "variants": variants,
            **(replaced or {}),
        }
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": API_VERSION, "kind": _KIND, "metadata": metadata, "spec": spec}

    def add_workload(self, name: str, pool: str, requests: Mapping[str, str], kind: str = "Deployment") -> None:
        """A workload that nothing runs on yet."""
        self.apply_workload(name, pool, requests, kind)
        self.scale(name, 0, kind)

    def apply_workload(self, name: str, pool: str, requests: Mapping[str, str], kind: str = "Deployment") -> None:
        """A workload as Git holds it: everything but replicas."""
        apply(self.api, f"{self._workloads(kind)}/{name}", self.workload_manifest(name, pool, requests, kind))

    def workload_manifest(
        self, name: str, pool: str, requests: Mapping[str, str], kind: str = "Deployment"
    ) -> dict[str, Any]:
        """The same as a manifest."""
        labels = {"app": name}
        template = self._pod_template(pool, requests, labels)
        spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
        if kind == "StatefulSet":
            spec |= {"serviceName": name, "podManagementPolicy": "Parallel"}
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}

    @staticmethod
    def _pod_template(pool: str, requests: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
        resources = {"requests": dict(requests), "limits": {k: v for k, v in requests.items() if "/" in k}}
        return {
            "metadata": {"labels": dict(labels), "annotations": {STARTUP_ANNOTATION: "2"}},
            "spec": {
                "nodeSelector": {"pool": pool},
                "containers": [{"name": "engine", "image": "engine:1", "resources": resources}],
                "terminationGracePeriodSeconds": 1,
            },
        }

    def edit(self, workload: str, spec: Mapping[str, Any]) -> None:
        """As a person would, by kubectl edit."""
        path = f"{self._workloads('Deployment')}/{workload}"
        kind = "application/strategic-merge-patch+json"
        request(self.api, "PATCH", path, {"spec": spec}, {"fieldManager": "kubectl-edit"}, kind)

    def start_slowly(self, place: str, seconds: float, name: str = "chat") -> None:
        """From now on pods of that variant take so long to be ready, and the profile says so."""
        hardware, coefficients, slots = self._profiles[place]
        self._add_profile(place, hardware, coefficients, slots, startup_s=seconds)
        annotations = {STARTUP_ANNOTATION: f"{seconds:g}"}
        self.edit(f"{name}-{place}", {"template": {"metadata": {"annotations": annotations}}})

    def scale(self, name: str, replicas: int, kind: str = "Deployment") -> None:
        """As a person would, by kubectl scale."""
        path = f"{self._workloads(kind)}/{name}/scale"
        request(self.api, "PATCH", path, {"spec": {"replicas": replicas}}, content_type=MERGE_PATCH)

    def set_demand(self, rate_rps: float) -> None:
        """From now on so many requests arrive per second."""
        self.page.gauges["test_arrivals"] = rate_rps

    def serve(self, namespaces: Sequence[str]) -> None:
        """Operators from now on have the chart's account, roles and settings for these namespaces; none means all."""
        values = {
            "watchNamespaces": list(namespaces),
            "settings": {"observe": {"prometheus_url": self.prometheus.url}},
            "scaleTargets": list(self._scale_targets),
        }
        self.release = Release(self._control_plane, self.api, "plimsoll", self.namespace, values)
        self.release.install_account()
        self._operator_kubeconfig = self.release.kubeconfig()

    # --- The operator ------------------------------------------------------------------------------------------------

    def start_operator(self, name: str = "operator", *settings: str) -> Process:
        """The chart's operator as a process of its own, with the chart's service account, serving this namespace."""
        command = [
            *self.release.command(self.directory / "settings.yaml", self._operator_kubeconfig),
            f"--tick-interval={TICK_S}",
            "--listen=127.0.0.1:0",
            # What another test has simulated need not be simulated again.
            f"--set=sizing.cache_file={self._simulated}",
            *(f"--set={one}" for one in ("observe.window_s=4", "observe.timeout_s=1", *settings)),
        ]
        process = Process(name, command, self.directory / f"{name}.log", dict(os.environ))
        process.start()
        self.operators.append(process)
        return process

    def log_of(self, process: Process) -> str:
        """All that it logged."""
        return process.log_path.read_text()

    # --- What can be seen --------------------------------------------------------------------------------------------

    def replicas(self, workload: str, kind: str = "Deployment") -> int:
        """What the workload asks for."""
        return int(self.workload(workload, kind)["spec"].get("replicas", 0))

    def images(self, workload: str) -> list[str]:
        """What its containers run."""
        containers = self.workload(workload, "Deployment")["spec"]["template"]["spec"]["containers"]
        return [one["image"] for one in containers]

    def has(self, workload: str) -> bool:
        """Whether there is such a Deployment."""
        return exists(self.api, f"{self._workloads('Deployment')}/{workload}")

    def ready(self, workload: str, kind: str = "Deployment") -> int:
        """Its ready replicas."""
        return int(self.workload(workload, kind).get("status", {}).get("readyReplicas", 0))

    def model(self, name: str = "chat") -> dict[str, Any]:
        """The InferenceDeployment as it is."""
        return request(self.api, "GET", f"{self.models_path}/{name}")

    def condition(self, type_: str, name: str = "chat") -> dict[str, str]:
        """One condition of it; empty where it is not there."""
        conditions = (self.model(name).get("status") or {}).get("conditions") or ()
        return next((one for one in conditions if one["type"] == type_), {})

    def safe_rate_rps(self, variant: str, name: str = "chat") -> float:
        """What one replica of the variant carries by the operator's own status."""
        variants = self.model(name)["status"]["variants"]
        return next(float(one["safeRate"]) for one in variants if one["name"] == variant)

    def variant(self, variant: str, name: str = "chat") -> dict[str, Any]:
        """One variant in its status; empty until there is one."""
        variants = (self.model(name).get("status") or {}).get("variants") or ()
        return next((one for one in variants if one["name"] == variant), {})

    def alternative(self, variant: str, name: str = "chat") -> dict[str, Any]:
        """What the status tells of a variant that the plan did not take; empty where it tells nothing."""
        plan = (self.model(name).get("status") or {}).get("plan") or {}
        return next((one for one in plan.get("alternatives") or () if one["label"] == variant), {})

    def writes_of(self, process: Process) -> list[dict[str, Any]]:
        """The steps that an operator wrote, oldest first."""
        lines = [json.loads(line) for line in self.log_of(process).splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("result") == "Written"]

    def wait(self, condition: Any, what: str, timeout_s: float) -> None:
        """Wait, and give up at once when an operator that should run has died."""
        wait_until(condition, what, timeout_s, [one for one in self.operators if one.is_running])

    def wait_for_ready(self, ready: Mapping[str, int], timeout_s: float, kind: str = "Deployment") -> None:
        """Until every workload has at least so many ready replicas (exactly none for 0)."""

        def there() -> bool:
            seen = {name: self.ready(name, kind) for name in ready}
            return all(seen[name] >= count if count else seen[name] == 0 for name, count in ready.items())

        self.wait(there, f"ready replicas {dict(ready)}", timeout_s)

    def wait_for_listing(self, operator: Process) -> None:
        """Until it has seen the cluster and could lead; a standby tells by nothing else that it is there."""
        self.wait(lambda: LISTED in self.log_of(operator), f"{operator.name} to have seen the cluster", UP_WITHIN_S)

    def record_capacity(self) -> CapacityRecord:
        """From now on every change of ready replicas of this namespace's Deployments, as the watch tells it."""
        client = AppsV1Api(self._control_plane.api_client())
        listed: Any = client.list_namespaced_deployment(self.namespace)
        ready: dict[str, int] = {one.metadata.name: one.status.ready_replicas or 0 for one in listed.items}
        record = CapacityRecord([dict(ready)])
        watch: Any = Watch()  # type: ignore[no-untyped-call]
        watch.resource_version = listed.metadata.resource_version

        def follow() -> None:
            while not self._closing.is_set():
                # Short watches, each from where the last one ended: nothing is missed, and closing need not wait.
                for event in watch.stream(
                    client.list_namespaced_deployment,
                    self.namespace,
                    resource_version=watch.resource_version,
                    timeout_seconds=1,
                ):
                    deployment = event["object"]
                    ready[deployment.metadata.name] = deployment.status.ready_replicas or 0
                    record.events.append(dict(ready))

        self._followers.append(threading.Thread(target=follow, name="capacity"))
        self._followers[-1].start()
        return record

    def events_about(self, name: str) -> list[tuple[str, str]]:
        """Reasons and notes of the Events on an InferenceDeployment."""
        told = items(self.api, f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")
        own = [one for one in told if (one["regarding"].get("kind"), one["regarding"].get("name")) == (_KIND, name)]
        return [(one["reason"], one.get("note", "")) for one in own]

    def objects(self) -> dict[str, Any]:
        """Everything of the namespace that an operator could write, by kind and name, without the lease."""
        paths = [self.models_path, self._workloads("Deployment"), f"/api/v1/namespaces/{self.namespace}/pods"]
        paths.append(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")
        paths.append(f"/apis/{API_VERSION}/computepools")
        return {one["metadata"]["uid"]: one for path in paths for one in items(self.api, path)}

    def versions(self) -> dict[str, tuple[str, str]]:
        """Changes with every write to one of them."""
        return {
            uid: (one["metadata"]["name"], one["metadata"]["resourceVersion"]) for uid, one in self.objects().items()
        }

    def close(self) -> None:
        """Operators end first, then what is not in the namespace goes."""
        self._closing.set()
        for follower in self._followers:
            follower.join()
        for process in self.operators:
            process.stop()
        self._exporter.pages.pop(self.namespace, None)
        for path in self._cluster_objects:
            delete(self.api, path)
        self.release.remove_account()

    # --- Cluster-scoped parts ----------------------------------------------------------------------------------------

    def _add_pool(
        self, name: str, price: Mapping[str, Any], nodes: int, hardware: str, resources: Mapping[str, str]
    ) -> None:
        self.add_pool(
            name,
            {
                "nodeSelector": {"pool": name},
                "hardware": hardware,
                "price": price,
                "nodes": {"min": 0, "max": nodes},
                "provisioningTime": "0s",
                "resources": {"memory": "64Gi", **resources},
            },
        )

    def add_pool(self, name: str, spec: Mapping[str, Any]) -> None:
        """A ComputePool, removed with the world."""
        self._add_cluster_object("ComputePool", "computepools", name, spec)

    def _add_profile(
        self, place: str, hardware: str, coefficients: Mapping[str, float], slots: int, startup_s: float = 2.0
    ) -> None:
        spec = {
            "model": "acme/llama",
            "engine": "vLLM",
            "hardware": hardware,
            "precision": "bf16",
            "coefficients": coefficients,
            "maxSequences": slots,
            "kvCacheTokens": 200_000,
            "startupTime": f"{startup_s:g}s",
            "provenance": {"kind": "Estimated"},
        }
        self._add_cluster_object("ServingProfile", "servingprofiles", f"{self.namespace}-{place}", spec)

    def plan_for(self, quantile: float, longest_standby: str = "0s") -> None:
        """From now on the policy of the models plans for that quantile of demand, and keeps ready what rises found too
        little of for that long at most; a request that misses is worth more than an hour of a GPU."""
        price = {} if longest_standby == "0s" else {"violationPricePerMillionRequests": "5000000.00"}
        spec = {
            "forecastQuantile": quantile,
            "stabilization": {"scaleUp": "0s", "scaleDown": f"{SCALE_DOWN_S:g}s"},
            "payBack": {"longestStandby": longest_standby, **price},
            "staleMetrics": {"staleAfter": "10s", "holdFor": "10m", "fallback": "Hold"},
        }
        self._add_cluster_object("ScalingPolicy", "scalingpolicies", f"{self.namespace}-quick", spec)

    def _add_cluster_object(self, kind: str, plural: str, name: str, spec: Mapping[str, Any]) -> None:
        path = f"/apis/{API_VERSION}/{plural}/{name}"
        manifest = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
        apply(self.api, path, manifest)
        if path not in self._cluster_objects:
            self._cluster_objects.append(path)

    @property
    def models_path(self) -> str:
        """Where the InferenceDeployments of the namespace are."""
        return f"/apis/{API_VERSION}/namespaces/{self.namespace}/inferencedeployments"

    def _workloads(self, kind: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{kind.lower()}s"

    def workload(self, name: str, kind: str = "Deployment") -> dict[str, Any]:
        """The workload as it is."""
        return request(self.api, "GET", f"{self._workloads(kind)}/{name}")


def lease_holder(world: World) -> str:
    """Who holds the lease; empty where nobody does."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{world.namespace}/leases/plimsoll"
    if not exists(world.api, path):
        return ""
    return str(request(world.api, "GET", path)["spec"].get("holderIdentity") or "")
