"""Where in the API does an object of any kind live?

In: apiVersion, kind, namespace, name. Out: its path; the plural of a kind is asked for once and remembered.
"""

from collections.abc import Callable
from typing import Any

from plimsoll.domain import Target
from plimsoll.errors import NotFound

_KNOWN_PLURALS = {("apps/v1", "Deployment"): "deployments", ("apps/v1", "StatefulSet"): "statefulsets"}


class ResourcePaths:
    """Paths of scalable objects."""

    def __init__(self, get: Callable[[str], Any]) -> None:
        self._get = get
        self._plurals = dict(_KNOWN_PLURALS)

    def of(self, target: Target) -> str:
        """The path of the target.

        Raises:
            NotFound: the API server does not know the kind.
        """
        root = f"/apis/{target.api_version}" if "/" in target.api_version else f"/api/{target.api_version}"
        return f"{root}/namespaces/{target.namespace}/{self._plural(root, target)}/{target.name}"

    def scale_of(self, target: Target) -> str:
        """The path of the target's scale subresource."""
        return f"{self.of(target)}/scale"

    def _plural(self, root: str, target: Target) -> str:
        key = (target.api_version, target.kind)
        if key not in self._plurals:
            served = {one["kind"]: one["name"] for one in self._get(root)["resources"] if "/" not in one["name"]}
            if target.kind not in served:
                raise NotFound(f"the API server knows no kind {target.kind} in {target.api_version}")
            self._plurals[key] = served[target.kind]
        return self._plurals[key]
