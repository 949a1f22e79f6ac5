"""The demo's verdict: every promise that was not kept is named, and both costs carry the paid nodes."""

from dataclasses import replace

import pytest

from plimsoll_testkit.demo.recording import Look, Recording, StepCounts, gpu_only_replicas
from plimsoll_testkit.demo.verdict import Summary, attainment, costs_usd, failures, sentences

ALL_SHOWN = StepCounts(scale_ups=5, scale_downs=4, moves_to_gpu=1, moves_to_cpu=1, bridges=("assist on xeon: 0 to 2",))
GOOD = Summary(
    slo_attainment=0.98,
    usd_per_million_tokens=0.2,
    gpu_only_usd_per_million_tokens=0.8,
    moves=2,
    scale_ups=5,
    scale_downs=4,
    api_writes=30,
    ticks=120,
    seconds_to_control_plane=4.0,
    control_plane="v1.37.2",
    requests=4000,
    retried=0,
    usd=0.25,
    gpu_only_usd=1.0,
    gpu_only_mean_nodes=2.6,
    attainment_by_model={"chat": 0.97, "tags": 0.99},
    latencies={},
    moves_to_gpu=1,
    moves_to_cpu=1,
    seeds=(7,),
    mix="generated",
    stock_out_s=(90.0, 155.0),
    stock_out_noticed_s=104.2,
    bridges=("assist on xeon: 0 to 2 replicas",) * 5,
    rejected=("12 s, chat to l4-zone-b: saves 0.04 USD/h",),
)


def test_a_good_play_has_no_failures() -> None:
    assert failures(GOOD, ALL_SHOWN) == []


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("scale_ups", "never scaled up"),
        ("scale_downs", "never scaled down"),
        ("moves_to_gpu", "from CPU to GPU"),
        ("moves_to_cpu", "from GPU to CPU"),
    ],
)
def test_each_thing_that_did_not_happen_is_named(missing: str, told: str) -> None:
    (found,) = failures(GOOD, replace(ALL_SHOWN, **{missing: 0}))  # type: ignore[arg-type]
    assert told in found


@pytest.mark.parametrize(("missing", "told"), [("bridges", "no quick replica"), ("rejected", "no move was rejected")])
def test_a_play_without_a_bridge_or_a_rejected_move_fails(missing: str, told: str) -> None:
    (found,) = failures(replace(GOOD, **{missing: ()}), ALL_SHOWN)  # type: ignore[arg-type]
    assert told in found


def test_bridges_and_rejected_moves_are_told_in_the_operators_words() -> None:
    told = sentences(GOOD)
    first = told.index("bridges: 5")
    assert told[first + 1 : first + 5] == [*["  assist on xeon: 0 to 2 replicas"] * 3, "moves rejected: 1"]
    assert told[first + 5] == "  12 s, chat to l4-zone-b: saves 0.04 USD/h"


def test_a_cheaper_place_that_is_not_moved_to_is_kept_once_a_place() -> None:
    def chat(label: str, usd: str, reason: str = "ChangeDoesNotPay") -> dict[str, object]:
        rejected = {"label": label, "perHour": usd, "reason": reason, "detail": "saves little"}
        return {
            "metadata": {"name": "chat"},
            "status": {
                "cost": {"perHour": "0.70"},
                "plan": {"alternatives": [rejected]},
                "forecast": {"requiredRate": "1"},
            },
        }

    recording = Recording()
    for at_s, one in enumerate([chat("b", "0.66"), chat("b", "0.65"), chat("c", "0.80"), chat("d", "0.1", "Dearer")]):
        recording.add(Look(float(at_s), [one], [], {}, ""))
    assert list(recording.rejected.values()) == ["0 s, chat to b: saves little"]


def test_one_model_below_its_slo_fails_although_the_mean_is_good() -> None:
    (found,) = failures(replace(GOOD, attainment_by_model={"chat": 0.94, "tags": 1.0}), ALL_SHOWN)
    assert "chat" in found
    assert "94.0%" in found


def test_requests_still_queued_beyond_their_limit_count_as_missed() -> None:
    assert attainment({"ended": 90, "late_in_flight": 10, "within_slo": 90}) == pytest.approx(0.9)


def test_a_model_that_answered_nothing_attained_nothing() -> None:
    assert attainment({"ended": 0, "late_in_flight": 0, "within_slo": 0}) == 0.0


def test_paid_nodes_cost_the_same_in_both_figures() -> None:
    node_seconds = {"cpu-amx": 3600.0, "gpu-l4": 1800.0, "gpu-h100": 360.0}
    prices = {"cpu-amx": 0.6, "gpu-l4": 0.35, "gpu-h100": 6.88}
    # 0.6 + 0.5 * 0.35 + 0.1 * 6.88 = 1.463; on the GPU pool alone 0.6 + 6.88 = 7.48.
    usd, gpu_only_usd = costs_usd(node_seconds, prices, 3600.0)
    assert usd == pytest.approx(1.463)
    assert gpu_only_usd == pytest.approx(7.48)


def test_gpu_only_needs_whole_replicas_and_at_least_one() -> None:
    def status(required: str) -> dict[str, object]:
        return {"variants": [{"name": "h100", "safeRate": "10"}], "forecast": {"requiredRate": required}}

    assert [gpu_only_replicas(status(rate)) for rate in ("0", "10", "10.1")] == [1, 1, 2]


def test_gpu_only_node_seconds_add_up_between_looks() -> None:
    chat = {
        "metadata": {"name": "chat"},
        "status": {"variants": [{"name": "h100", "safeRate": "10"}], "forecast": {"requiredRate": "15"}},
    }
    recording = Recording()
    for at_s in (0.0, 1.0, 3.0):
        recording.add(Look(at_s, [chat], [], {}, ""))
    # Two replicas for the three seconds since the first look.
    assert recording.gpu_only_node_seconds == pytest.approx(6.0)
    assert recording.gpu_only_mean_nodes == pytest.approx(2.0)


def test_the_file_has_every_figure_that_was_promised() -> None:
    promised = {
        "slo_attainment", "usd_per_million_tokens", "gpu_only_usd_per_million_tokens", "moves", "scale_ups",
        "scale_downs", "api_writes", "ticks", "seconds_to_control_plane", "control_plane", "seeds",
    }  # fmt: skip
    assert promised <= GOOD.to_json().keys()


def test_the_summary_says_how_the_comparison_was_made() -> None:
    told = "\n".join(sentences(GOOD))
    assert "75% saved" in told
    assert "count at their amortised price in both" in told


def test_the_summary_says_whether_demand_or_the_number_of_models_decides_the_comparison() -> None:
    by_demand, by_models = ("\n".join(sentences(replace(GOOD, gpu_only_mean_nodes=nodes))) for nodes in (2.6, 2.0))
    assert "2.6 nodes on average" in by_demand
    assert "no model needed a second" not in by_demand
    assert "no model needed a second" in by_models


def test_the_summary_says_when_the_stock_out_was_noticed() -> None:
    assert "gpu-l4 was out of stock from 90 to 155 s: the operator marked it at 104 s" in sentences(GOOD)
    unnoticed = sentences(replace(GOOD, stock_out_noticed_s=None))
    assert (
        "gpu-l4 was out of stock from 90 to 155 s: the operator never waited for it long enough to mark it" in unnoticed
    )


def test_the_first_look_with_the_mark_dates_the_stock_out() -> None:
    recording = Recording()
    for at_s, status in ((1.0, {}), (2.0, {"stockedOutUntil": "soon"}), (3.0, {"stockedOutUntil": "soon"})):
        recording.add(Look(at_s, [], [{"metadata": {"name": "gpu-l4"}, "status": status}], {}, ""))
    assert recording.stock_out_noticed_s == 2.0


def test_predicted_and_observed_latencies_stand_side_by_side() -> None:
    chat = {
        "predicted": {"ttft": "83.5ms", "tpot": "10.4ms"},
        "observed": {"ttft": "59.6ms", "tpot": "9.9ms"},
        "by_users": {"ttft": "61.0ms", "tpot": "-"},
    }
    told = sentences(replace(GOOD, latencies={"chat": {"h100": chat}}))
    assert told[-1] == "  chat on h100: TTFT 83.5ms / 59.6ms (61.0ms), TPOT 10.4ms / 9.9ms (-)"


def test_predictions_are_compared_with_what_was_seen_at_the_same_moment() -> None:
    both = {"predicted": {"tpot": {"p95": "10ms"}}, "observed": {"tpot": {"p95": "12ms"}}}
    variants = [{"name": "xeon", "ready": 1, **both}, {"name": "l4", "ready": 0, **both}]
    status = {"variants": variants}
    recording = Recording()
    recording.add(Look(1.0, [{"metadata": {"name": "chat"}, "status": status}], [], {}, ""))
    assert recording.pairs["chat", "xeon"] == {"tpot": [(10.0, 12.0)]}
    assert recording.pairs["chat", "l4"] == {}
