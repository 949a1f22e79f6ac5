"""The scale of any kind that has one, read from a real API server; and what it says of kinds that have none."""

import asyncio

from kubernetes.client import ApiClient

from plimsoll.api_server import ApiServer
from plimsoll.domain import Reason, Target
from plimsoll.observe import ScaleReader
from plimsoll.observe.targets import Scale, Unavailable, identity
from plimsoll.observe.views import Selector
from plimsoll_testkit.json_api import request


def read(api: ApiClient, target: Target) -> Scale | Unavailable:
    reader = ScaleReader(ApiServer(api, timeout_s=4.0).get)
    try:
        return asyncio.run(reader.read([target]))[identity(target)]
    finally:
        reader.close()


def test_a_scale_subresource_tells_replicas_and_selector(api: ApiClient, namespace: str) -> None:
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "fleet"},
        "spec": {
            "replicas": 0,
            "serviceName": "fleet",
            "selector": {"matchLabels": {"app": "fleet"}},
            "template": {
                "metadata": {"labels": {"app": "fleet"}},
                "spec": {"containers": [{"name": "engine", "image": "engine"}]},
            },
        },
    }
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    request(api, "POST", path, stateful_set)
    target = Target("apps/v1", "StatefulSet", namespace, "fleet", owned=False)
    assert read(api, target) == Scale(0, Selector(equal=(("app", "fleet"),)))


def test_a_kind_without_a_scale_is_not_scalable(api: ApiClient, namespace: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    request(api, "POST", f"/api/v1/namespaces/{namespace}/configmaps", manifest)
    found = read(api, Target("v1", "ConfigMap", namespace, "settings", owned=False))
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.TARGET_NOT_SCALABLE


def test_a_missing_object_and_a_missing_kind_are_missing(api: ApiClient, namespace: str) -> None:
    for api_version, kind in (("v1", "ConfigMap"), ("apps/v1", "Fleet"), ("leaderworkerset.x-k8s.io/v1", "Group")):
        found = read(api, Target(api_version, kind, namespace, "nowhere", owned=False))
        assert isinstance(found, Unavailable)
        assert found.reason is Reason.TARGET_MISSING
