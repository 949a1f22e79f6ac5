"""May this write start, and how is it counted? Every write of a tick passes here.

In: the API server, a fence (do we lead, are we not stopping), a listener. Out: the written object, or an error by what
to do about it. A write that was allowed to start is finished; the fence is asked before each one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from plimsoll.api_server import ApiServer, Patch
from plimsoll.errors import NotLeading

OnWrite = Callable[[str, str], None]
"""Told kind and verb of every write that succeeded."""


class Writer:
    """Fenced, counted writes, and the reads that come before them."""

    def __init__(self, server: ApiServer, may_write: Callable[[], bool], on_write: OnWrite) -> None:
        self._server = server
        self._may_write = may_write
        self._on_write = on_write

    def get(self, path: str) -> Any:
        """The object at the path."""
        return self._server.get(path)

    def patch(self, kind: str, path: str, body: Mapping[str, Any], how: Patch = Patch.MERGE) -> Any:
        """Patch one object; `kind` is only for the count."""
        self._check(path)
        written = self._server.patch(path, body, how)
        self._on_write(kind, "apply" if how is Patch.APPLY else "patch")
        return written

    def create(self, kind: str, path: str, body: Mapping[str, Any]) -> Any:
        """Create one object in the collection at the path."""
        self._check(path)
        written = self._server.post(path, body)
        self._on_write(kind, "create")
        return written

    def delete(self, kind: str, path: str, seen: Mapping[str, Any]) -> None:
        """Delete the object as it was seen, or not at all; what it owns follows."""
        self._check(path)
        preconditions = {name: seen["metadata"][name] for name in ("uid", "resourceVersion")}
        self._server.delete(path, {"propagationPolicy": "Background", "preconditions": preconditions})
        self._on_write(kind, "delete")

    def _check(self, path: str) -> None:
        if not self._may_write():
            raise NotLeading(f"{path} was not written: this replica does not lead, or is stopping")
