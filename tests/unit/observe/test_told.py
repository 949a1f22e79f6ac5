"""What time taught an operator is read back from the status that it wrote."""

from typing import Any

from plimsoll.domain import Dwell, Standby, StartUp, Told
from plimsoll.observe.told import told_by
from unit.builders import NOW_S
from unit.observe.manifests import a_cache, a_deployment_manifest

SINCE = "1970-01-12T13:46:40Z"
"""NOW_S as the wire has it."""


def told(**status: Any) -> Told | None:
    return told_by({**a_deployment_manifest(), "status": status})


def test_starts_on_a_node_that_was_there_and_those_that_waited_for_one_are_kept_apart() -> None:
    both = {"name": "h100", "startUps": {"onNode": "95s", "withNode": "5m"}}
    one = {"name": "xeon", "startUps": {"onNode": "1.5s"}}
    found = told(variants=[both, one, {"name": "l4"}])
    assert found is not None
    assert found.start_ups == {"h100": (StartUp(95.0, False), StartUp(300.0, True)), "xeon": (StartUp(1.5, False),)}


def test_the_plan_that_stands_is_of_the_variants_that_have_a_target_and_those_before_it_stood_for_their_mean() -> None:
    variants = [{"name": "h100", "target": 2}, {"name": "xeon", "target": 0}]
    found = told(variants=variants, plan={"dwell": {"since": SINCE, "earlierPlans": 3, "earlierMean": "20m"}})
    assert found == Told(dwell=Dwell(frozenset({"h100"}), NOW_S, (1200.0, 1200.0, 1200.0)))


def test_a_first_plan_has_none_before_it() -> None:
    found = told(variants=[{"name": "h100", "target": 1}], plan={"dwell": {"since": SINCE, "earlierPlans": 0}})
    assert found == Told(dwell=Dwell(frozenset({"h100"}), NOW_S))


def test_a_rise_that_capacity_is_kept_for_may_be_over_or_not() -> None:
    over = told(plan={"standby": {"rate": "10.3", "worth": "1.36", "idled": "0.40", "since": SINCE}})
    assert over == Told(standby=Standby(10.3, 1.36, NOW_S, 0.4))
    assert told(plan={"standby": {"rate": "10.3", "worth": "1.36"}}) == Told(standby=Standby(10.3, 1.36, None))


def test_a_status_of_an_older_version_tells_nothing() -> None:
    assert told(variants=[{"name": "h100", "target": 1, "leadTime": "95s"}], plan={"phase": "Steady"}) is None
    assert told_by(a_deployment_manifest()) is None


def test_what_a_deployment_told_is_forgotten_with_it() -> None:
    manifest = {**a_deployment_manifest(), "status": {"forecast": {"burstiness": "0.4"}}}
    cache = a_cache(("InferenceDeployment", manifest))
    assert [one.rate_cv2 for one in cache.contents().told.values()] == [0.4]
    cache.apply("InferenceDeployment", "DELETED", manifest)
    assert cache.contents().told == {}
