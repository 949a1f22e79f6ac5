"""Do the Deployments that Plimsoll owns look as their variants' templates say?

In: InferenceDeployments whose variants carry a ``template``, and the pools they run on. Out: server-side applied
Deployments with an owner reference. A new one has no replicas, since nothing runs before a plan says so; afterwards
they change only through the scale subresource.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from plimsoll.api import (
    API_VERSION,
    DEPLOYMENT_LABEL,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    VARIANT_LABEL,
    ComputePool,
    InferenceDeployment,
    VariantSpec,
    owned_deployment_name,
)
from plimsoll.api_server import Patch
from plimsoll.apply.look_again import look_again
from plimsoll.apply.writer import Writer
from plimsoll.domain import Mode, ObjectKey
from plimsoll.errors import NotFound, PlimsollError, WriteRefused
from plimsoll.observe import Contents

TEMPLATE_HASH_ANNOTATION = f"{GROUP}/template-hash"


@dataclass(frozen=True, slots=True)
class OwnedFailure:
    """An owned Deployment that could not be written."""

    deployment: ObjectKey
    variant: str
    message: str


def bring_up_to_date(contents: Contents, writer: Writer) -> tuple[OwnedFailure, ...]:
    """Create what is missing and update what differs; the failures are told, never raised."""
    failures = []
    for key, deployment, variant, pool in _templated(contents):
        manifest = _manifest(deployment, variant, pool)
        name = manifest["metadata"]["name"]
        present = contents.workloads.get(("Deployment", ObjectKey(key.namespace, name)))
        if present is not None and present.controller_uid != deployment.metadata.uid:
            continue  # Somebody else's; observe has told so.
        if present is not None and present.annotations.get(TEMPLATE_HASH_ANNOTATION) == _hash_of(manifest):
            continue
        try:
            look_again(partial(_look_and_write, manifest, key.namespace, writer))
        except PlimsollError as error:
            failures.append(OwnedFailure(key, variant.name, str(error)))
    return tuple(failures)


def _templated(contents: Contents) -> Iterator[tuple[ObjectKey, InferenceDeployment, VariantSpec, ComputePool]]:
    for key, deployment in sorted(contents.deployments.items()):
        if not isinstance(deployment, InferenceDeployment) or key in contents.deleting:
            continue
        if deployment.spec.mode is not Mode.AUTO:
            continue
        for variant in deployment.spec.variants:
            pool = contents.pools.get(ObjectKey("", variant.pool))
            if variant.template is not None and isinstance(pool, ComputePool):
                yield key, deployment, variant, pool


def _look_and_write(manifest: dict[str, Any], namespace: str, writer: Writer) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{manifest['metadata']['name']}"
    try:
        live = writer.get(path)
    except NotFound:
        live = None
    hashed = {TEMPLATE_HASH_ANNOTATION: _hash_of(manifest)}
    metadata = manifest["metadata"] | {"annotations": hashed}
    if live is None:
        replicas = 0
    elif _controller_of(live) != manifest["metadata"]["ownerReferences"][0]["uid"]:
        raise WriteRefused(f"{path} belongs to somebody else by now: rename the variant, or use targetRef")
    elif hashed.items() <= (live["metadata"].get("annotations") or {}).items():
        return  # Written already; the watch has not told yet.
    else:
        # What an apply leaves out goes back to its default, and that is 1 for replicas: it says what it just saw, and
        # the resourceVersion makes a conflict of any scaling in between, upon which the next look sees it.
        replicas = live["spec"].get("replicas", 1)
        metadata |= {"resourceVersion": live["metadata"]["resourceVersion"]}
    body = manifest | {"metadata": metadata, "spec": manifest["spec"] | {"replicas": replicas}}
    writer.patch("Deployment", path, body, Patch.APPLY)


def _controller_of(live: Mapping[str, Any]) -> str | None:
    owners = live["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _manifest(deployment: InferenceDeployment, variant: VariantSpec, pool: ComputePool) -> dict[str, Any]:
    labels = {DEPLOYMENT_LABEL: deployment.name, VARIANT_LABEL: variant.name}
    template: Mapping[str, Any] = variant.template or {}
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    tolerations = [
        toleration.model_dump(mode="json", by_alias=True, exclude_none=True) for toleration in pool.spec.tolerations
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": owned_deployment_name(deployment.name, variant.name),
            "labels": labels | {MANAGED_BY_LABEL: MANAGED_BY},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "InferenceDeployment",
                    "name": deployment.name,
                    "uid": deployment.metadata.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}},
                "spec": {
                    **spec,
                    "nodeSelector": {**(spec.get("nodeSelector") or {}), **pool.spec.node_selector},
                    "tolerations": [*(spec.get("tolerations") or ()), *tolerations],
                },
            },
        },
    }


def _hash_of(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
