"""A workload that is scaled down loses pods whatever a PodDisruptionBudget says: so rollout heeds it itself."""

from dataclasses import replace

from plimsoll.domain import DisruptionBudget, Mode, ObjectKey, Reason, Target
from plimsoll.rollout import Rollout, roll_out
from unit.builders import a_deployment, a_forecast, a_snapshot, a_variant, options_for
from unit.rollout.case import POOLS, RPS, an_allocation, changes, message, reason, watched


def rolled_out(*budgets: DisruptionBudget, h100: int = 5, ready: int | None = None, **overrides: object) -> Rollout:
    """Five h100s that carry 30 req/s, of which two are wanted for 12."""
    h100s = a_variant("h100", replicas=h100, ready=ready)
    xeons = a_variant("xeon", pool="cpu-amx", replicas=3)
    chat = a_deployment(variants=[h100s, xeons], rps=6.0, **overrides)  # type: ignore[arg-type]
    wanted = {"h100": 1, "xeon": 0}
    return roll_out(
        replace(a_snapshot([chat], POOLS), disruption_budgets=budgets),
        {chat.key: a_forecast(chat)},
        options_for([chat], RPS),
        an_allocation(chat, wanted),
        {},
        watched(chat, wanted),
    )


def a_budget(allowed: int, *pods: str, name: str = "keep", namespace: str = "team-a") -> DisruptionBudget:
    return DisruptionBudget(ObjectKey(namespace, name), allowed, frozenset(pods))


H100S = tuple(f"h100-{i}" for i in range(5))


def test_no_more_ready_pods_go_than_a_budget_allows() -> None:
    assert changes(rolled_out()) == {"h100": (5, 1), "xeon": (3, 0)}
    assert changes(rolled_out(a_budget(2, *H100S))) == {"h100": (5, 3), "xeon": (3, 0)}


def test_a_budget_that_allows_nothing_is_named() -> None:
    rollout = rolled_out(a_budget(0, *H100S))
    assert changes(rollout) == {"xeon": (3, 0)}
    assert reason(rollout, "h100") is Reason.WAITS_FOR_DISRUPTION_BUDGET
    assert message(rollout, "h100") == (
        "waits: 1 replicas are wanted, but PodDisruptionBudget team-a/keep lets no ready pod go now; if h100 is to "
        "leave, the budget has to allow it"
    )


def test_variants_share_a_budget_and_the_tightest_of_several_counts() -> None:
    # xeons leave altogether, so they go first.
    assert changes(rolled_out(a_budget(4, *H100S, "xeon-0"))) == {"xeon": (3, 0), "h100": (5, 4)}
    two = (a_budget(3, *H100S), a_budget(1, "h100-4", name="tight"))
    assert changes(rolled_out(*two))["h100"] == (5, 4)


def test_pods_that_are_not_ready_go_whatever_a_budget_says() -> None:
    assert changes(rolled_out(a_budget(0, *H100S), ready=3))["h100"] == (5, 3)


def test_pods_of_the_same_name_elsewhere_are_not_protected() -> None:
    assert changes(rolled_out(a_budget(0, *H100S, namespace="team-b")))["h100"] == (5, 1)


def test_recommendations_spend_nothing() -> None:
    shared = a_budget(4, *H100S, "xeon-0")
    assert changes(rolled_out(shared, mode=Mode.RECOMMEND)) == {"xeon": (3, 0), "h100": (5, 1)}


def test_a_workload_that_may_lose_ready_pods_first_is_counted_so() -> None:
    target = Target("apps/v1", "StatefulSet", "team-a", "chat-h100", owned=False)
    h100s = a_variant("h100", replicas=5, ready=3, target=target)
    chat = a_deployment(variants=[h100s], rps=0.0)
    rollout = roll_out(
        replace(a_snapshot([chat], POOLS), disruption_budgets=(a_budget(1, *H100S),)),
        {chat.key: a_forecast(chat)},
        options_for([chat], RPS),
        an_allocation(chat, {"h100": 1}),
        {},
        watched(chat, {"h100": 1}),
    )
    assert changes(rollout) == {"h100": (5, 4)}
