"""What does a move cost, and for how long will the new plan stand to pay it back?

In: prices, lead times, and which variants each deployment's plans have used so far. Out: dollars for a start, and the
dwell that is expected of the next plan: the policy's, moved by what plans really stood for. A move pays back where

    saving rate x expected dwell > overlap + start-up risk + idle nodes at the end

and planning charges the right side, spread over the dwell, to every replica that is new. Design section 6.
"""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.domain import Dwell, ObjectKey, Snapshot, VariantKey

START_UP_RISK = 0.1
"""Share of starts that fail and are paid for once more. Guess: images that do not pull, nodes that come up broken."""
POLICY_COUNTS = 3
"""The policy's dwell weighs as much as so many plans that were seen. Guess."""
LINGERING_S = 600.0
"""How long a node is on the bill after its last replica has left. Source: cluster-autoscaler's
--scale-down-unneeded-time, whose default this is; Karpenter's consolidation is faster where it is told to be."""
REMEMBERED = 10
"""Plans by deployment. Guess: a few days' worth of moves, so that a change of habits is followed."""


def start_usd(price_usd_per_hour: float, lead_s: float) -> float:
    """What starting one replica costs beyond the time that it serves, in dollars: its start, and its node's last wait.

    Args:
        price_usd_per_hour: of the share of a node that it takes.
        lead_s: until it is ready.
    """
    return price_usd_per_hour * lead_s / 3600.0 * (1.0 + START_UP_RISK) + end_usd(price_usd_per_hour)


def end_usd(price_usd_per_hour: float) -> float:
    """What one replica's share of a node costs after it has left, in dollars."""
    return price_usd_per_hour * LINGERING_S / 3600.0


def known_dwells(snapshot: Snapshot, remembered: Mapping[ObjectKey, Dwell]) -> Mapping[ObjectKey, Dwell]:
    """By deployment the dwell that is remembered, else the one that its status tells, as after a restart."""
    found = {one.key: remembered.get(one.key) or one.told.dwell for one in snapshot.deployments}
    return {key: dwell for key, dwell in found.items() if dwell is not None}


def remember_dwells(
    snapshot: Snapshot, replicas: Mapping[VariantKey, int], before: Mapping[ObjectKey, Dwell]
) -> Mapping[ObjectKey, Dwell]:
    """By deployment since when its plan has used these variants, and for how long the ones before it did.

    Args:
        snapshot: of this tick.
        replicas: in the plan of this tick.
        before: as returned at the last tick, or what is known of the time before the first one.
    """
    found: dict[ObjectKey, Dwell] = {}
    for deployment in snapshot.deployments:
        places = frozenset(v.name for v in deployment.variants if replicas.get(v.key, 0) > 0)
        last = before.get(deployment.key)
        if last is None:
            found[deployment.key] = Dwell(places, snapshot.now_s)
        elif last.places == places:
            found[deployment.key] = last
        else:
            lasted_s = (*last.lasted_s, max(0.0, snapshot.now_s - last.since_s))
            found[deployment.key] = Dwell(places, snapshot.now_s, lasted_s[-REMEMBERED:])
    return found


def with_expected_dwells(snapshot: Snapshot, dwells: Mapping[ObjectKey, Dwell]) -> Snapshot:
    """The snapshot in which each policy's dwell is the one to expect, by what was seen."""

    def expected_s(key: ObjectKey, policy_s: float) -> float:
        lasted_s = dwells[key].lasted_s if key in dwells else ()
        return (POLICY_COUNTS * policy_s + sum(lasted_s)) / (POLICY_COUNTS + len(lasted_s))

    deployments = tuple(
        replace(one, policy=replace(one.policy, expected_dwell_s=expected_s(one.key, one.policy.expected_dwell_s)))
        if one.key in dwells and dwells[one.key].lasted_s
        else one
        for one in snapshot.deployments
    )
    return replace(snapshot, deployments=deployments)
