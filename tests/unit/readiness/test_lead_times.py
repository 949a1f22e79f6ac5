"""From asking to ready: what was seen of a variant's own pods, else what its profile and pool say."""

from dataclasses import replace

from plimsoll.domain import NO_START_UPS, LeadTime, Pod, Pool, Snapshot, StartUp, StartUps, Told
from plimsoll.readiness import remember_start_ups, with_lead_times
from plimsoll.readiness.start_ups import REMEMBERED
from unit.builders import NOW_S, a_deployment, a_node, a_pod, a_pool, a_snapshot, a_variant

FULL = {"nvidia.com/gpu": 4.0, "cpu": 64.0}
"""All that a node offers, taken by others."""


def a_look(*pods: Pod, pool: Pool | None = None, now_s: float = NOW_S) -> Snapshot:
    variant = a_variant(pods=pods, startup_s=60.0)
    return a_snapshot([a_deployment(variants=[variant])], [pool or a_pool(nodes=1)], now_s=now_s)


def seen(*looks: Snapshot, before: StartUps = NO_START_UPS) -> StartUps:
    for look in looks:
        before = remember_start_ups(look, before)
    return before


def lead(look: Snapshot, start_ups: StartUps = NO_START_UPS) -> LeadTime | None:
    return with_lead_times(look, start_ups).deployments[0].variants[0].lead


def a_start(name: str, took_s: float, node: str = "gpu-h100-0") -> tuple[Snapshot, Snapshot]:
    """A pod that is created, and then ready after so long."""
    new = a_pod(name, node=node, ready=False, ready_since_s=None, created_s=NOW_S)
    ready = a_pod(name, node=node, created_s=NOW_S, ready_since_s=NOW_S + took_s)
    return a_look(new), a_look(ready, now_s=NOW_S + took_s)


def test_until_a_start_was_seen_profile_and_pool_say() -> None:
    full = a_pool(nodes=(a_node(foreign_requests=FULL),))
    assert lead(a_look()) == LeadTime(60.0)
    assert lead(a_look(pool=full)) == LeadTime(60.0 + 180.0, boots=True)


def test_a_start_that_was_watched_is_believed_more_than_the_profile() -> None:
    assert lead(a_look(), seen(*a_start("a", 95.0))) == LeadTime(95.0, observed=1, seen_on_node_s=95.0)


def test_nine_of_ten_starts_took_at_most_so_long() -> None:
    looks = [look for i in range(10) for look in a_start(f"pod-{i}", 40.0 + i)]
    assert lead(a_look(), seen(*looks)) == LeadTime(48.0, observed=10, seen_on_node_s=48.0)


def test_only_the_last_starts_are_remembered() -> None:
    looks = [look for i in range(REMEMBERED + 5) for look in a_start(f"pod-{i}", 500.0 if i < 5 else 40.0)]
    assert lead(a_look(), seen(*looks)) == LeadTime(40.0, observed=REMEMBERED, seen_on_node_s=40.0)


def test_a_pod_counts_once_and_not_when_it_becomes_ready_again() -> None:
    once = seen(*a_start("a", 50.0))
    again = a_pod("a", node="gpu-h100-0", created_s=NOW_S, ready_since_s=NOW_S + 900.0)
    failed = a_pod("a", node="gpu-h100-0", created_s=NOW_S, ready=False, ready_since_s=None)
    later = seen(a_look(failed, now_s=NOW_S + 800.0), a_look(again, now_s=NOW_S + 900.0), before=once)
    assert later.done == once.done


def test_pods_that_were_there_before_the_operator_tell_nothing() -> None:
    old = a_pod("old", ready=False, ready_since_s=None, created_s=NOW_S - 900.0)
    recovered = a_pod("old", node="gpu-h100-0", created_s=NOW_S - 900.0, ready_since_s=NOW_S + 5.0)
    assert seen(a_look(old), a_look(recovered, now_s=NOW_S + 10.0)).done == {}


def test_a_start_between_two_ticks_counts() -> None:
    quick = a_pod("quick", node="gpu-h100-0", created_s=NOW_S + 1.0, ready_since_s=NOW_S + 4.0)
    assert lead(a_look(), seen(a_look(), a_look(quick, now_s=NOW_S + 10.0))) == LeadTime(
        3.0, observed=1, seen_on_node_s=3.0
    )


def test_a_start_that_waited_for_its_node_says_how_long_a_boot_takes_not_how_long_a_start() -> None:
    booted = a_pool(nodes=(a_node("late", created_s=NOW_S + 200.0, foreign_requests=FULL),))
    new = a_pod("a", ready=False, ready_since_s=None, created_s=NOW_S)
    ready = a_pod("a", node="late", created_s=NOW_S, ready_since_s=NOW_S + 290.0)
    learned = seen(a_look(new), a_look(ready, pool=booted, now_s=NOW_S + 290.0))
    assert lead(a_look(pool=booted), learned) == LeadTime(290.0, observed=1, boots=True, seen_with_node_s=290.0)
    assert lead(a_look(), learned) == LeadTime(60.0, seen_with_node_s=290.0)


def test_what_a_start_takes_is_known_and_a_boot_is_not_yet() -> None:
    full = a_pool(nodes=(a_node(foreign_requests=FULL),))
    learned = seen(*a_start("a", 95.0))
    assert lead(a_look(pool=full), learned) == LeadTime(95.0 + 180.0, observed=1, boots=True, seen_on_node_s=95.0)


def test_waiting_for_a_pool_that_is_sold_out_is_no_start() -> None:
    # The pool promises 180 s; half as long again is its patience.
    stuck = a_pod("a", ready=False, ready_since_s=None, created_s=NOW_S, unschedulable_since_s=NOW_S)
    ready = a_pod("a", node="gpu-h100-0", created_s=NOW_S, ready_since_s=NOW_S + 4000.0)
    assert seen(a_look(stuck), a_look(stuck, now_s=NOW_S + 271.0), a_look(ready, now_s=NOW_S + 4000.0)).done == {}


def told(*start_ups: StartUp, look: Snapshot) -> Snapshot:
    """The look, of a deployment whose status tells so of its variant."""
    (deployment,) = look.deployments
    return replace(look, deployments=(replace(deployment, told=Told(start_ups={"h100": start_ups})),))


def test_a_process_that_has_seen_no_start_goes_by_what_the_status_tells() -> None:
    full = a_pool(nodes=(a_node(foreign_requests=FULL),))
    both = StartUp(95.0, waited_for_node=False), StartUp(290.0, waited_for_node=True)
    here, elsewhere = told(*both, look=a_look()), told(*both, look=a_look(pool=full))
    on_node = LeadTime(95.0, observed=1, seen_on_node_s=95.0, seen_with_node_s=290.0)
    assert lead(here, seen(here)) == on_node
    assert lead(elsewhere, seen(elsewhere)) == replace(on_node, seconds=290.0, boots=True)


def test_a_process_that_has_seen_a_start_does_not_read_the_status() -> None:
    known = seen(*a_start("a", 95.0))
    look = told(StartUp(500.0, waited_for_node=False), look=a_look())
    assert seen(look, before=known).done == known.done


def test_what_the_status_told_gives_way_to_the_starts_that_follow() -> None:
    first = told(StartUp(500.0, waited_for_node=False), look=a_look())
    looks = [look for i in range(9) for look in a_start(f"pod-{i}", 40.0)]
    # Nine of ten: the one that was told is the tenth.
    assert lead(a_look(), seen(first, *looks)) == LeadTime(40.0, observed=10, seen_on_node_s=40.0)


def test_a_lead_time_that_is_known_is_not_computed_again() -> None:
    known = with_lead_times(a_look(), seen(*a_start("a", 95.0)))
    assert with_lead_times(known) is known
