"""How do requests reach the replicas of a deployment? What users write about what stands in front of them.

In: the field ``spec.routing``. Out: the domain's `Routing`. Design section 6.
"""

from typing import ClassVar

from pydantic import Field

from plimsoll.api.wire import ObjectName, Rule, SpecModel
from plimsoll.domain import Routing


class RoutingSpec(SpecModel):
    """What shares requests out among the variants and their replicas."""

    type: Routing = Field(Routing.SERVICE, strict=False)
    """Service: one plain Kubernetes Service over the pods of all variants. It draws a pod for each connection, so that
    every pod gets the same share whatever its speed: the slowest variant in use says what all of them may get. This is
    the default because it is what there is without a gateway, and the one that never counts on too much. LoadAware: an
    inference gateway, endpoint picker or proxy that sends each request to whoever has least to do; what replicas carry
    then adds up. HTTPRoute: a Gateway API HTTPRoute with one Service per variant as backends (variants[].service),
    whose weights Plimsoll keeps in proportion to what the ready replicas of each carry."""
    http_route: ObjectName | None = Field(None, alias="httpRoute")
    """Name of the HTTPRoute, in the same namespace; for the type HTTPRoute only. Plimsoll writes
    spec.rules[].backendRefs[].weight of it and nothing else: tell your GitOps tool to ignore that field."""

    rules: ClassVar = (
        Rule(
            # The API server holds the empty default to the rule before it fills in the type.
            cel="(has(self.type) && self.type == 'HTTPRoute') == has(self.httpRoute)",
            message="httpRoute belongs to the type HTTPRoute alone: set type: HTTPRoute and httpRoute, or neither",
            holds=lambda routing: (routing.type is Routing.HTTP_ROUTE) == (routing.http_route is not None),
        ),
    )
