"""What do ready replicas carry at the worst moment of a move, while those on their way become ready one by one?

In: a ``Situation`` and the counts that targets stand at. Out: requests per second. Behind a plain Service every pod
gets the same share, so the first ready pod of a variant that is slower than all others slows them all down, and only
more pods make up for it. With any other routing a ready pod takes nothing from the others. Design section 6.
"""

from collections.abc import Mapping

from plimsoll.domain import Routing, Variant, VariantKey, behind
from plimsoll.rollout.situation import Situation, current_counts, ready_after


def least_rps(situation: Situation, counts: Mapping[VariantKey, int]) -> float:
    """What is carried from now until everything is ready, at the least.

    Only one pod of the slowest variant is worse than none and worse than several: each further pod adds its share.
    """
    starting = [
        variant
        for variant in situation.deployment.variants
        if counts[variant.key] > ready_after(variant, counts[variant.key])
    ]
    return min([situation.ready_rps(counts), *(_with_first_rps(situation, counts, variant) for variant in starting)])


def slows_others_down(situation: Situation, variant: Variant) -> bool:
    """True where demand is carried now, and would not be once the first replica of this variant were ready."""
    present = current_counts(situation.deployment)
    carried_rps = situation.ready_rps(present)
    return carried_rps >= situation.need_rps > _with_first_rps(situation, present, variant)


def _with_first_rps(situation: Situation, counts: Mapping[VariantKey, int], variant: Variant) -> float:
    ready_rps, each_rps = situation.ready_rps(counts), _each_rps(situation, variant)
    replicas = {
        v.key: ready_after(v, counts[v.key]) for v in situation.deployment.variants if _each_rps(situation, v) > 0.0
    }
    ready = sum(replicas.values())
    if situation.deployment.routing is not Routing.SERVICE or not ready or each_rps <= 0.0 or replicas[variant.key]:
        return ready_rps
    return ready_rps if each_rps >= ready_rps / ready else (ready + 1) * each_rps


def _each_rps(situation: Situation, variant: Variant) -> float:
    return behind(Routing.SERVICE, situation.options[variant.key].capacity).per_replica_rps
