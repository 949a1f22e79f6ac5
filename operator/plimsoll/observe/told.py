"""What does a status tell to a process that has learned nothing yet?

In: an InferenceDeployment as the API server sends it. Out: `Told`, parsed once, at arrival; None where there is nothing
to tell. Nothing else of its status is read back. Pure.
"""

from collections.abc import Iterable, Mapping

from plimsoll.api import Duration, Timestamp
from plimsoll.domain import NOTHING_TOLD, Dwell, Standby, StartUp, Told
from plimsoll.observe.views import Raw


def told_by(raw: Raw) -> Told | None:
    """What its status tells of burstiness, start-ups, dwell and standby."""
    status = raw.get("status") or {}
    variants, plan = status.get("variants") or (), status.get("plan") or {}
    told = Told(
        rate_cv2=float((status.get("forecast") or {}).get("burstiness") or 0.0),
        start_ups={one["name"]: tuple(_start_ups(one["startUps"])) for one in variants if one.get("startUps")},
        dwell=_dwell(plan["dwell"], variants) if plan.get("dwell") else None,
        standby=_standby(plan["standby"]) if plan.get("standby") else None,
    )
    return None if told == NOTHING_TOLD else told


def _start_ups(told: Mapping[str, str]) -> Iterable[StartUp]:
    for name, waited_for_node in (("onNode", False), ("withNode", True)):
        if name in told:
            yield StartUp(Duration(told[name]).seconds, waited_for_node)


def _standby(told: Mapping[str, str]) -> Standby:
    since_s = Timestamp(told["since"]).seconds if "since" in told else None
    return Standby(float(told["rate"]), float(told["worth"]), since_s, float(told.get("idled", 0.0)))


def _dwell(told: Raw, variants: Iterable[Raw]) -> Dwell:
    places = frozenset(one["name"] for one in variants if one.get("target", 0) > 0)
    earlier_s = Duration(told["earlierMean"]).seconds if "earlierMean" in told else 0.0
    return Dwell(places, Timestamp(told["since"]).seconds, (earlier_s,) * told.get("earlierPlans", 0))
