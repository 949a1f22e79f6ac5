"""Do the Deployments that Plimsoll owns look as their variants' templates say?

In: InferenceDeployments whose variants carry a ``template``, with their pools and profiles. Out: server-side applied
Deployments with an owner reference. A new one has no replicas, since nothing runs before a plan says so; afterwards
they change only through the scale subresource. What somebody else changes of them is put back, but for replicas: those
are the rollout's.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from plimsoll.api import (
    API_VERSION,
    DEPLOYMENT_LABEL,
    ENGINE_ANNOTATION,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    VARIANT_LABEL,
    ComputePool,
    InferenceDeployment,
    ServingProfile,
    VariantSpec,
    owned_deployment_name,
)
from plimsoll.api_server import Patch
from plimsoll.apply.look_again import look_again
from plimsoll.apply.writer import Writer
from plimsoll.domain import Mode, ObjectKey
from plimsoll.errors import NotFound, PlimsollError, WriteRefused
from plimsoll.observe import Contents
from plimsoll.observe.views import controller_of, digest, fingerprint_of

log = logging.getLogger(__name__)

TEMPLATE_HASH_ANNOTATION = f"{GROUP}/template-hash"
_FIRST_LOOKS = 20
"""So many Deployments that this replica has not applied yet are applied again in one tick. A restart or a takeover has
to, since it cannot know what was changed meanwhile, and must not keep the steps of a large cluster waiting. A guess."""


@dataclass(frozen=True, slots=True)
class OwnedFailure:
    """An owned Deployment that could not be written."""

    deployment: ObjectKey
    variant: str
    message: str


class OwnedDeployments:
    """Writes them, and remembers what the API server made of it: whatever differs later is somebody else's change."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._answered: dict[ObjectKey, str] = {}
        """By name the fingerprint of what stood there after our last apply."""

    def bring_up_to_date(self, contents: Contents) -> tuple[OwnedFailure, ...]:
        """Create what is missing and update what differs; the failures are told, never raised."""
        failures = []
        first_looks = 0
        answered: dict[ObjectKey, str] = {}
        for key, variant, manifest in _templated(contents):
            name = ObjectKey(key.namespace, manifest["metadata"]["name"])
            owner_uid = manifest["metadata"]["ownerReferences"][0]["uid"]
            present = contents.workloads.get(("Deployment", name))
            if name in self._answered:
                answered[name] = self._answered[name]
            if present is not None and present.controller_uid != owner_uid:
                continue  # Somebody else's; observe has told so.
            if present is not None and present.annotations.get(TEMPLATE_HASH_ANNOTATION) == digest(manifest):
                if present.fingerprint == self._answered.get(name):
                    continue
                first_looks += name not in self._answered
                if first_looks > _FIRST_LOOKS:
                    continue
            try:
                answered[name] = look_again(partial(self._look_and_write, manifest, name))
            except PlimsollError as error:
                # One that is refused every time does not keep the others from their turn.
                answered.setdefault(name, "")
                failures.append(OwnedFailure(key, variant.name, str(error)))
        self._answered = answered
        return tuple(failures)

    def _look_and_write(self, manifest: dict[str, Any], name: ObjectKey) -> str:
        """The fingerprint of what stands there now."""
        path = f"/apis/apps/v1/namespaces/{name.namespace}/deployments/{name.name}"
        try:
            live = self._writer.get(path)
        except NotFound:
            live = None
        hashed = {TEMPLATE_HASH_ANNOTATION: digest(manifest)}
        metadata = manifest["metadata"] | {"annotations": manifest["metadata"]["annotations"] | hashed}
        before, is_of_template = "", False
        if live is None:
            replicas = 0
        elif controller_of(live).get("uid") != manifest["metadata"]["ownerReferences"][0]["uid"]:
            raise WriteRefused(f"{path} belongs to somebody else by now: rename the variant, or use targetRef")
        else:
            before = fingerprint_of(live)
            is_of_template = hashed.items() <= (live["metadata"].get("annotations") or {}).items()
            if is_of_template and before == self._answered.get(name):
                return before  # Written already; the watch has not told yet.
            # What an apply leaves out goes back to its default, and that is 1 for replicas: it says what it just saw,
            # and the resourceVersion makes a conflict of any scaling in between, upon which the next look sees it.
            replicas = live["spec"].get("replicas", 1)
            metadata |= {"resourceVersion": live["metadata"]["resourceVersion"]}
        body = manifest | {"metadata": metadata, "spec": manifest["spec"] | {"replicas": replicas}}
        after = fingerprint_of(self._writer.patch("Deployment", path, body, Patch.APPLY))
        if is_of_template and after != before:
            log.warning(
                "somebody changed Deployment %s, which is put back: change the variant's template instead", name
            )
        return after


def _templated(contents: Contents) -> Iterator[tuple[ObjectKey, VariantSpec, dict[str, Any]]]:
    """Variants with a template and all that it needs, each with the Deployment that should be there."""
    for key, deployment in sorted(contents.deployments.items()):
        if not isinstance(deployment, InferenceDeployment) or key in contents.deleting:
            continue
        if deployment.spec.mode is not Mode.AUTO:
            continue
        for variant in deployment.spec.variants:
            pool = contents.pools.get(ObjectKey("", variant.pool))
            profile = contents.profiles.get(ObjectKey("", variant.profile))
            if variant.template is None or not isinstance(pool, ComputePool) or not isinstance(profile, ServingProfile):
                continue
            yield key, variant, _manifest(deployment, variant, pool, profile)


def _manifest(
    deployment: InferenceDeployment, variant: VariantSpec, pool: ComputePool, profile: ServingProfile
) -> dict[str, Any]:
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
            "annotations": {ENGINE_ANNOTATION: profile.spec.engine.value},
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
            # A changed template never takes away what is ready: each new pod is ready before an old one goes.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
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
