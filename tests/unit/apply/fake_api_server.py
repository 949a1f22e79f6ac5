"""An API server over a dictionary, for the seam of ``plimsoll.api_server``.

In: objects by path, refusals by verb and path. Out: the answers and errors that a real one gives as far as writers
depend on them: resourceVersions as preconditions, merge patches, 404 for what is not there. Applying replaces the whole
object, which is what it does where one manager owns every field.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from plimsoll.api_server import ApiServer, Patch, translated
from plimsoll.errors import PlimsollError

Object = dict[str, Any]


class Write(NamedTuple):
    """One write that reached the server."""

    verb: str
    path: str
    body: Object


class FakeApiServer(ApiServer):
    """Keeps objects, counts writes, refuses what it is told to."""

    def __init__(self, objects: Mapping[str, Object] | None = None) -> None:
        self.objects: dict[str, Object] = {}
        self.writes: list[Write] = []
        self.reads: list[str] = []
        self.refusals: dict[tuple[str, str], PlimsollError] = {}
        self.before_write: Callable[[], None] = lambda: None
        self._version = 0
        for path, one in (objects or {}).items():
            self.keep(path, one)

    def keep(self, path: str, one: Object) -> Object:
        """Store the object under its next resourceVersion."""
        self._version += 1
        stored = deepcopy(one)
        stored["metadata"] = (stored.get("metadata") or {}) | {"resourceVersion": str(self._version)}
        self.objects[path] = stored
        return deepcopy(stored)

    def refuse(self, verb: str, path: str, status: int = 503) -> None:
        """Answer every such request with this status."""
        self.refusals[verb, path] = translated(status, "refused by the test", f"{verb} {path}")

    def written(self, verb: str, part_of_path: str = "") -> list[Object]:
        """The bodies of the writes of one verb whose path contains the text."""
        return [write.body for write in self.writes if write.verb == verb and part_of_path in write.path]

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json") -> Any:
        self.reads.append(path)
        self._check("GET", path)
        return deepcopy(self._there("GET", path))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        self._arrives("POST", path, body)
        name = body["metadata"].get("name") or f"{body['metadata'].get('generateName', '')}{self._version}"
        if f"{path}/{name}" in self.objects:
            raise translated(409, "already exists", f"POST {path}")
        return self.keep(f"{path}/{name}", dict(body))

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        self._arrives("PUT", path, body)
        self._match_version("PUT", path, body)
        return self.keep(path, dict(body))

    def patch(self, path: str, body: Mapping[str, Any], kind: Patch = Patch.MERGE) -> Any:
        verb = "APPLY" if kind is Patch.APPLY else "PATCH"
        self._arrives(verb, path, body)
        if kind is Patch.APPLY:
            if path.endswith("/status"):
                main = self._there(verb, path.removesuffix("/status"))
                return self.keep(path.removesuffix("/status"), main | {"status": body["status"]})
            if path in self.objects:
                self._match_version(verb, path, body)
            return self.keep(path, dict(body))
        self._match_version(verb, path, body)
        return self.keep(path, _merged(self._there(verb, path), body))

    def delete(self, path: str, body: Mapping[str, Any]) -> Any:
        self._arrives("DELETE", path, body)
        there = self._there("DELETE", path)["metadata"]
        if any(there.get(name) != value for name, value in (body.get("preconditions") or {}).items()):
            raise translated(409, "the object has been modified", f"DELETE {path}")
        return self.objects.pop(path)

    def _arrives(self, verb: str, path: str, body: Mapping[str, Any]) -> None:
        self.before_write()
        self._check(verb, path)
        self.writes.append(Write(verb, path, deepcopy(dict(body))))

    def _check(self, verb: str, path: str) -> None:
        if (verb, path) in self.refusals:
            raise self.refusals[verb, path]

    def _there(self, verb: str, path: str) -> Object:
        if path not in self.objects:
            raise translated(404, "not found", f"{verb} {path}")
        return self.objects[path]

    def _match_version(self, verb: str, path: str, body: Mapping[str, Any]) -> None:
        there = self._there(verb, path)
        asked = (body.get("metadata") or {}).get("resourceVersion")
        if asked is not None and asked != there["metadata"]["resourceVersion"]:
            raise translated(409, "the object has been modified", f"{verb} {path}")


def _merged(old: Any, new: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(new, Mapping):
        return new
    merged = dict(old) if isinstance(old, Mapping) else {}
    for name, value in new.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
