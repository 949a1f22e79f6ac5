"""The demo counts as a move only what ran on one kind of hardware alone, and then on the other alone."""

from typing import Any

from plimsoll_testkit.demo.recording import StepCounts, count_steps


def a_step(
    variant: str, before: int, after: int, deployment: str = "assist", result: str = "Written", reason: str = "ScaleUp"
) -> dict[str, Any]:
    return {
        "result": result,
        "reason": reason,
        "message": "because",
        "deployment": deployment,
        "variant": variant,
        "from": before,
        "to": after,
    }


def test_from_cpu_nodes_alone_to_gpu_nodes_alone_is_one_move_however_many_steps_it_takes() -> None:
    steps = [a_step("l4", 0, 1), a_step("xeon", 4, 2), a_step("xeon", 2, 0)]
    assert count_steps(steps) == StepCounts(scale_ups=1, scale_downs=2, moves_to_gpu=1, moves_to_cpu=0)


def test_there_and_back_is_one_move_each_way() -> None:
    steps = [a_step("l4", 0, 1), a_step("xeon", 2, 0), a_step("xeon", 0, 2), a_step("l4", 1, 0)]
    assert count_steps(steps) == StepCounts(scale_ups=2, scale_downs=2, moves_to_gpu=1, moves_to_cpu=1)


def test_to_have_left_cpu_does_not_make_a_move_to_it_of_the_next_shrinking_gpu() -> None:
    steps = [a_step("l4", 0, 2), a_step("xeon", 4, 0), a_step("l4", 2, 1)]
    assert count_steps(steps) == StepCounts(scale_ups=1, scale_downs=2, moves_to_gpu=1, moves_to_cpu=0)


def test_what_still_runs_on_both_has_not_moved() -> None:
    steps = [a_step("l4", 0, 1), a_step("xeon", 4, 1), a_step("xeon", 1, 2), a_step("l4", 1, 0)]
    assert count_steps(steps) == StepCounts(scale_ups=2, scale_downs=2, moves_to_gpu=0, moves_to_cpu=0)


def test_all_gone_and_back_where_it_was_is_no_move() -> None:
    steps = [a_step("xeon", 1, 0), a_step("xeon", 0, 1)]
    assert count_steps(steps) == StepCounts(scale_ups=1, scale_downs=1, moves_to_gpu=0, moves_to_cpu=0)


def test_a_bridge_and_its_end_are_no_move() -> None:
    bridge = [a_step("l4", 1, 2), a_step("xeon-spot", 0, 2, reason="Bridging"), a_step("xeon-spot", 2, 0)]
    for steps in (bridge, [*bridge, a_step("l4", 2, 1)]):
        counts = count_steps(steps)
        assert (counts.moves_to_gpu, counts.moves_to_cpu) == (0, 0)
    # What ran on CPU nodes before the bridge moves all the same, the bridging replicas of its own variant with it.
    moves = [a_step("l4", 0, 1), a_step("xeon", 3, 4, reason="Bridging"), a_step("xeon", 4, 0)]
    assert count_steps(moves).moves_to_gpu == 1


def test_growing_and_shrinking_on_one_kind_is_no_move() -> None:
    steps = [a_step("xeon", 1, 3), a_step("xeon", 3, 1), a_step("h100", 0, 1), a_step("l4", 2, 0)]
    assert count_steps(steps) == StepCounts(scale_ups=2, scale_downs=2, moves_to_gpu=0, moves_to_cpu=0)


def test_growth_of_another_deployment_makes_no_move() -> None:
    steps = [a_step("l4", 0, 1, deployment="chat"), a_step("xeon", 2, 0)]
    assert count_steps(steps).moves_to_gpu == 0


def test_a_step_that_was_not_written_does_not_count() -> None:
    steps = [a_step("l4", 0, 1, result="Dropped"), {"event": "tick"}]
    assert count_steps(steps) == StepCounts(0, 0, 0, 0)


def test_a_bridge_is_told_in_the_operators_words() -> None:
    steps = [a_step("xeon", 0, 3, reason="Bridging"), a_step("xeon", 3, 4, result="Dropped", reason="Bridging")]
    assert count_steps(steps).bridges == ("assist on xeon: because",)
