"""Do HTTPRoutes share requests out as the plan says?

In: the plan's weights and what the cache knows of the routes. Out: what was written or could not be, as values. A route
is somebody else's object: only the weights of backends that belong to variants change, after a second look, with that
look as precondition. Rules are one atomic list for the API server (Gateway API v1, listType=atomic), so the list is
written whole; server-side apply of a single weight would take over, and drop, everything else of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from plimsoll.apply.look_again import look_again
from plimsoll.apply.writer import Writer
from plimsoll.domain import Mode, ObjectKey, Plan, RouteWeights
from plimsoll.errors import NotFound, NotLeading, PlimsollError
from plimsoll.observe import Contents, RouteView, is_service_of

ROUTES = "/apis/gateway.networking.k8s.io/v1"
MATERIAL_PERCENT = 3
"""Weights that are all off by less stay as they are. A guess: safe rates tremble by this much, and a gateway is not to
be configured anew for that; a backend that comes or goes is written at once."""


@dataclass(frozen=True, slots=True)
class RouteOutcome:
    """One HTTPRoute whose weights were not as the plan says."""

    deployment: ObjectKey
    weights: RouteWeights
    failure: str | None = None
    """None where it was written."""


def share_out_requests(plan: Plan, contents: Contents, writer: Writer) -> tuple[RouteOutcome, ...]:
    """Write the weights of every route where they differ materially; the failures are told, never raised."""
    outcomes = []
    for one in plan.deployments:
        view = contents.routes.get(one.weights.route) if one.weights else None
        if one.mode is not Mode.AUTO or one.weights is None or view is None or not _differs(view, one.weights.percent):
            continue
        try:
            if look_again(partial(_look_and_write, one.weights, writer)):
                outcomes.append(RouteOutcome(one.key, one.weights))
        except (NotFound, NotLeading):
            continue  # A route that is gone is told by observe as soon as the watch says so.
        except PlimsollError as error:
            outcomes.append(RouteOutcome(one.key, one.weights, str(error)))
    return tuple(outcomes)


def _differs(view: RouteView, percent: Mapping[str, int]) -> bool:
    by_rule: dict[int, dict[str, int]] = {}
    for backend in view.backends:
        if backend.service in percent:
            by_rule.setdefault(backend.rule, {})[backend.service] = backend.weight
    return any(_are_off(weights, percent) for weights in by_rule.values())


def _are_off(weights: Mapping[str, int], percent: Mapping[str, int]) -> bool:
    wanted = {service: percent[service] for service in weights}
    total, wanted_total = sum(weights.values()), sum(wanted.values())
    if any((weights[service] > 0) is not (wanted[service] > 0) for service in weights):
        return True
    if total == 0 or wanted_total == 0:
        return False
    return any(
        abs(100 * weights[service] / total - 100 * wanted[service] / wanted_total) >= MATERIAL_PERCENT
        for service in weights
    )


def _look_and_write(weights: RouteWeights, writer: Writer) -> bool:
    """Whether anything had to be written."""
    namespace, name = weights.route
    path = f"{ROUTES}/namespaces/{namespace}/httproutes/{name}"
    live = writer.get(path)
    rules = [_reweighed(rule, namespace, weights.percent) for rule in live["spec"].get("rules") or ()]
    if rules == (live["spec"].get("rules") or []):
        return False
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    writer.patch("HTTPRoute", path, {"metadata": version, "spec": {"rules": rules}})
    return True


def _reweighed(rule: Mapping[str, Any], namespace: str, percent: Mapping[str, int]) -> Mapping[str, Any]:
    if "backendRefs" not in rule:
        return rule
    backends = [
        {**backend, "weight": percent[backend["name"]]}
        if is_service_of(backend, namespace) and backend["name"] in percent
        else backend
        for backend in rule["backendRefs"]
    ]
    return {**rule, "backendRefs": backends}
