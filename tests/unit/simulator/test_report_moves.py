"""Moves are told with their whole reasons, those that change most first where not all fit."""

from dataclasses import replace

from plimsoll.domain import VariantKey
from plimsoll.simulator.report.moves import bytes_each, told
from plimsoll.simulator.report.series import drawn_run
from plimsoll.simulator.result import Move
from unit.simulator.reports import a_run

BRIDGE = "Bridging: 0 to 2 replicas: " + "x" * 300 + "; that costs 0.02 USD"


def _a_move(at: int, size: int, reason: str = "ScaleUp: demand rises", deployment: str = "chat") -> Move:
    return Move(60.0 * at, VariantKey("team-a", deployment, "l4"), 1, 1 + size, reason)


def test_the_moves_that_change_most_are_told_in_order_of_time() -> None:
    moves = [_a_move(1, 5), _a_move(2, 0), _a_move(3, 2), _a_move(4, 9)]
    # Two of them and the reason that they have in common.
    assert [(move[0], move[3]) for move in told(moves, 45 * 2 + 20).moves] == [(1.0, 6), (4.0, 10)]
    assert len(told(moves, 10_000).moves) == 4


def test_a_reason_is_told_to_its_end_and_once() -> None:
    found = told([_a_move(1, 2, BRIDGE), _a_move(2, 2, BRIDGE), _a_move(3, 1)], 10_000)
    assert found.texts == [BRIDGE.removeprefix("Bridging: "), "demand rises"]
    assert [(found.reasons[move[4]], move[5]) for move in found.moves] == [
        ("Bridging", 0), ("Bridging", 0), ("ScaleUp", 1),
    ]  # fmt: skip


def test_many_runs_share_what_room_there_is_and_each_has_some() -> None:
    assert bytes_each(7) == 100_000
    assert bytes_each(10**6) == 6_000


def test_moves_are_counted_for_the_run_and_for_each_model() -> None:
    moves = (_a_move(1, 2, BRIDGE), _a_move(2, 1), _a_move(3, 1), _a_move(4, 1, "", "code"))
    run = drawn_run(replace(a_run(), moves=moves), ["team-a/chat", "team-a/code"], 480, 10)
    assert (run["moved"], run["why"]) == (4, [("ScaleUp", 2), ("Bridging", 1)])
    assert (run["models"]["team-a/chat"]["moved"], run["models"]["team-a/code"]["moved"]) == (3, 1)
    # A policy that gives no reasons has none, not one of that name.
    assert run["models"]["team-a/code"]["why"] == []
