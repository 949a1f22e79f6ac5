"""Is a pod that leaves given the time to finish its requests?

In: a ``Situation``. Out: a finding for each variant whose grace is shorter than what a long request takes even alone:
less than that is certain to cut requests off. The grace itself is the pod's own and never changed.
"""

from collections.abc import Iterable

from plimsoll.domain import Finding, LatencyMetric, Reason
from plimsoll.rollout.situation import Situation


def short_graces(situation: Situation) -> Iterable[Finding]:
    """One finding for each variant that runs, or is to, and cuts off one request in twenty or more when pods leave."""
    tokens = situation.forecast.tokens
    for variant in situation.deployment.variants:
        alone_ms = {seen.metric: seen.value_ms for seen in situation.options[variant.key].unloaded}
        tpot_ms = alone_ms.get(LatencyMetric.TPOT)
        used = variant.replicas > 0 or situation.wanted[variant.key] > 0
        if tokens is None or tpot_ms is None or variant.grace_s is None or not used:
            continue
        longest_s = (alone_ms.get(LatencyMetric.TTFT, 0.0) + tokens.output_tokens_p95 * tpot_ms) / 1000.0
        if variant.grace_s < longest_s:
            message = (
                f"pods of {variant.target} get {variant.grace_s:.0f} s to finish when they leave, but one request in "
                f"twenty has {tokens.output_tokens_p95:.0f} output tokens or more, which take {longest_s:.0f} s even "
                "alone: they are cut off; raise terminationGracePeriodSeconds in its pod template"
            )
            yield Finding(situation.deployment.key, Reason.GRACE_TOO_SHORT, message, variant.name)
