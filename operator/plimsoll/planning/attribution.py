"""Whose nodes are these? Each deployment's share of what its pools cost.

In: placed replicas and nodes by pool. Out: US dollars per hour by deployment. A pool's nodes, their empty parts
included, are shared by those who use it, in proportion to the share of a node that their replicas take of its scarcest
resource; the shares sum to the pool's price. Nodes that nobody uses are nobody's.
"""

from collections.abc import Mapping

from plimsoll.domain import ObjectKey, VariantKey
from plimsoll.planning.problem import Problem, relative_size


def attribute(problem: Problem, placed: Mapping[VariantKey, int], nodes: Mapping[str, int]) -> dict[ObjectKey, float]:
    """US dollars per hour by deployment; 0 for those that run on paid nodes alone."""
    shares: dict[str, dict[ObjectKey, float]] = {name: {} for name in problem.rooms}
    for need in problem.needs:
        for choice in need.choices:
            if choice.pool in shares and placed.get(choice.key, 0) > 0:
                taken = placed[choice.key] * relative_size(choice, problem.rooms[choice.pool])
                shares[choice.pool][need.key] = shares[choice.pool].get(need.key, 0.0) + taken
    usd_per_hour = {need.key: 0.0 for need in problem.needs}
    for name, room in problem.rooms.items():
        total = sum(shares[name].values())
        for key, share in shares[name].items():
            if total > 0:
                usd_per_hour[key] += room.usd_per_hour * nodes[name] * share / total
    return usd_per_hour
