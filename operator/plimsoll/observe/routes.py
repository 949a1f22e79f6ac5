"""Does the HTTPRoute that a deployment names send requests to its variants?

In: an InferenceDeployment and the HTTPRoutes of the cache. Out: a variant's Service, or why no request reaches it; a
finding where the whole route is missing. Pure. Every message says what to change.
"""

from collections.abc import Mapping

from plimsoll.api import InferenceDeployment, VariantSpec
from plimsoll.domain import Finding, ObjectKey, Reason, Routing
from plimsoll.observe.targets import Unavailable
from plimsoll.observe.views import RouteView

Routes = Mapping[ObjectKey, RouteView]


def backend_of(deployment: InferenceDeployment, spec: VariantSpec, routes: Routes) -> str | Unavailable | None:
    """The variant's Service; None with any other routing.

    A variant that the route does not know gets no request, so its replicas must not count as capacity: it is left out,
    and left as it is. Where the whole route is missing nothing says so of one variant, and scaling goes on.
    """
    if deployment.spec.routing.type is not Routing.HTTP_ROUTE:
        return None
    route = routes.get(_key(deployment))
    if route is None or spec.service is None or route.sends_to(spec.service):
        return spec.service
    return Unavailable(
        Reason.BACKEND_MISSING,
        f"HTTPRoute {route.key.name} has no backendRef to Service {spec.service} of variant {spec.name}, so no request "
        "reaches it: add the backendRef (weight 0 will do, Plimsoll sets it), or correct variants[].service",
    )


def missing_route(deployment: InferenceDeployment, routes: Routes) -> tuple[Finding, ...]:
    """The finding for a route that is not there; empty where it is, or none is named."""
    if deployment.spec.routing.type is not Routing.HTTP_ROUTE or _key(deployment) in routes:
        return ()
    name = deployment.spec.routing.http_route
    message = (
        f"spec.routing.httpRoute is {name}, and there is no such HTTPRoute in namespace "
        f"{deployment.metadata.namespace}: replicas are scaled all the same, but nobody keeps requests in proportion "
        "to what variants carry; create the route (and, if the cluster has no Gateway API, install its CRDs and "
        "restart the operator)"
    )
    return (Finding(ObjectKey(deployment.metadata.namespace, deployment.name), Reason.ROUTE_MISSING, message),)


def _key(deployment: InferenceDeployment) -> ObjectKey:
    return ObjectKey(deployment.metadata.namespace, deployment.spec.routing.http_route or "")
