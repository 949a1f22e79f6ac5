"""When can objects of a kind be written? As soon as its CustomResourceDefinition is established.

In: definitions as plain dicts. Out: the API server serves them all.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from kubernetes.client import ApiClient

from plimsoll_testkit.json_api import SERVER_SIDE_APPLY, request
from plimsoll_testkit.processes import wait_until

SERVED_WITHIN_S = 20.0


def install_definitions(api: ApiClient, definitions: Sequence[dict[str, Any]], manager: str) -> None:
    """Apply them as `manager`, and wait until each is served."""
    paths = [
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{one['metadata']['name']}" for one in definitions
    ]
    for path, definition in zip(paths, definitions, strict=True):
        request(api, "PATCH", path, definition, {"fieldManager": manager}, SERVER_SIDE_APPLY)
    for path in paths:
        wait_until(partial(_is_established, api, path), f"{path} to be served", SERVED_WITHIN_S)


def _is_established(api: ApiClient, path: str) -> bool:
    conditions = (request(api, "GET", path).get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
