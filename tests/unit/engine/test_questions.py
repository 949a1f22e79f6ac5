"""The simple physics: by hand on small numbers, and against a lone request that the kernel plays."""

import numpy as np
import pytest

from plimsoll.domain import StepTime
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.serving import Replica, Requests, serve
from plimsoll.engine.surrogate import normal_of
from plimsoll.engine.workload import Lengths
from unit.engine.cases import CHAT_OUTPUTS, CHAT_PROMPTS, E2E, H100, L4, TPOT, TTFT, XEON

SMALL = Replica(StepTime(10.0, 1.0, 0.1, 0.01), max_sequences=4, kv_cache_tokens=10_000, chunk_tokens=64)
SQUARE = (SMALL, Lengths(100.0, 100.0), Lengths(9.0, 9.0))
"""Prompts of 100 tokens and outputs of 9, always."""


def _unloaded_ms(row: tuple[Replica, Lengths, Lengths], quantile: float = 0.5) -> dict[object, float]:
    physics = Physics.of([row] * len(METRICS))
    found = physics.unloaded_ms(np.arange(len(METRICS)), normal_of(np.full(len(METRICS), quantile)))
    return dict(zip(METRICS, found.tolist(), strict=True))


def test_capacity_by_hand() -> None:
    # c = 100 + 9/2 = 104.5 tokens; b = 1 + .01 x 104.5 = 2.045; d(4) = 10 + 4 x 2.045 = 18.18 ms.
    # 8 steps after the first token, and on average .5 + 100/64 = 2.0625 for the prompt's chunks.
    # Capacity: 4 / ((8 + 2.0625) x 18.18 + 4 x .1 x 100) = 4 / 222.93625
    physics = Physics.of([SQUARE])
    assert physics.slots_v[0] == 4.0
    assert physics.b_v[0] == pytest.approx(2.045)
    assert physics.step_ms(np.array([4.0]))[0] == pytest.approx(18.18)
    assert physics.capacity_v[0] == pytest.approx(4.0 / 222.93625)


def test_a_small_cache_leaves_fewer_slots() -> None:
    # 109 tokens a request: 218 are room for two of the four. d(2) = 14.09; 2 / (10.0625 x 14.09 + 2 x 10)
    tight = Replica(SMALL.step_time, 4, 218, 64)
    physics = Physics.of([(tight, *SQUARE[1:])])
    assert physics.slots_v[0] == pytest.approx(2.0)
    assert physics.kv_room_v[0] == pytest.approx(0.5)
    assert physics.capacity_v[0] == pytest.approx(2.0 / 161.780625)


def test_a_cache_too_small_for_a_mean_request_still_serves_one_at_a_time() -> None:
    assert Physics.of([(Replica(SMALL.step_time, 4, 50, 64), *SQUARE[1:])]).slots_v[0] == 1.0


def test_long_outputs_hold_the_cache_for_longer_than_their_mean_says() -> None:
    # Seen by output token, outputs of mean 100 and cv2 1 are 200 long: sigma^2 = log 2, p95 = 100 exp(1.645 s - s^2/2).
    sigma = np.sqrt(np.log(2.0))
    outputs = Lengths(100.0, float(100.0 * np.exp(1.6448536269514722 * sigma - sigma**2 / 2.0)))
    physics = Physics.of([(Replica(SMALL.step_time, 10, 3_000, 64), Lengths(100.0, 100.0), outputs)])
    assert physics.slots_v[0] == pytest.approx(10.0)
    assert physics.kv_room_v[0] == pytest.approx(1.0)


@pytest.mark.parametrize("replica", [H100, L4, XEON], ids=["H100", "L4", "Xeon"])
def test_capacity_is_what_the_kernel_completes_with_a_queue_that_never_ends(replica: Replica) -> None:
    count = 20 * replica.max_sequences
    prompts, outputs = Lengths(512.0, 512.0), Lengths(128.0, 128.0)
    together = Requests(np.zeros(count), np.full(count, 512), np.full(count, 128))
    completed_per_ms = count / serve([replica], together).e2e_ms_i.max()
    # All start in step and end in step, so that the last batch is as full as the others.
    assert Physics.of([(replica, prompts, outputs)]).capacity_v[0] == pytest.approx(completed_per_ms, rel=0.02)


def test_unloaded_latencies_by_hand() -> None:
    # Two chunks: 2 x 10 + .1 x 100 + .01 x 64 = 30.64 ms; a step of one sequence is 10 + 2.045; eight of them follow.
    found = _unloaded_ms(SQUARE)
    assert found[TTFT] == pytest.approx(30.64)
    assert found[TPOT] == pytest.approx(12.045)
    assert found[E2E] == pytest.approx(30.64 + 8 * 12.045)


def test_a_long_prompt_reads_the_cache_that_its_own_chunks_filled() -> None:
    # A p95 prompt of 300: five chunks, over 0, 64, 128, 192 and 256 tokens: 50 + 30 + .01 x 640.
    found = _unloaded_ms((SMALL, Lengths(100.0, 300.0), Lengths(9.0, 9.0)), 0.95)
    assert found[TTFT] == pytest.approx(86.4)


@pytest.mark.parametrize("replica", [SMALL, H100, L4, XEON], ids=["small", "H100", "L4", "Xeon"])
@pytest.mark.parametrize(("prompt", "output"), [(1, 2), (100, 9), (3_000, 300)])
def test_a_lone_request_sees_the_unloaded_latencies(replica: Replica, prompt: int, output: int) -> None:
    seen = serve([replica], Requests(np.zeros(1), np.array([prompt]), np.array([output])))
    found = _unloaded_ms((replica, Lengths(prompt, prompt), Lengths(output, output)))
    # The physics counts a token more in the cache than there is on average.
    one_token_ms = replica.step_time.kappa_ms_per_kv_token
    assert found[TTFT] == pytest.approx(seen.ttft_ms_i[0])
    assert found[TPOT] - seen.tpot_ms_i[0] == pytest.approx(one_token_ms, rel=1e-3)
    assert found[E2E] - seen.e2e_ms_i[0] == pytest.approx(one_token_ms * (output - 1), rel=1e-3)


@pytest.mark.parametrize("replica", [H100, L4, XEON], ids=["H100", "L4", "Xeon"])
@pytest.mark.parametrize(
    ("prompts", "outputs"),
    [
        (CHAT_PROMPTS, CHAT_OUTPUTS),
        (Lengths(4_000.0, 9_000.0), Lengths(100.0, 200.0)),
        (Lengths(1_000.0, 3_000.0), Lengths(4.0, 8.0)),  # a classifier: prompts are all of its time
        (Lengths(1_000.0, 3_000.0), Lengths(1.0, 1.0)),
    ],
    ids=["chat", "documents", "classifier", "one token"],
)
@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_lone_requests_of_all_lengths_see_the_unloaded_quantile_end_to_end(
    replica: Replica, prompts: Lengths, outputs: Lengths, quantile: float
) -> None:
    count = 4_000
    rng = np.random.default_rng(1)
    apart_ms = np.arange(count, dtype=np.float64) * 1e6
    seen = serve([replica], Requests(apart_ms, prompts.drawn(count, rng, 29_000), outputs.drawn(count, rng, 29_000)))
    expected = np.quantile(seen.e2e_ms_i, quantile)
    # The hypotenuse of two log-normal parts, and whole tokens and chunks: up to 4% measured.
    assert _unloaded_ms((replica, prompts, outputs), quantile)[E2E] == pytest.approx(expected, rel=0.05)


def test_mean_field_solves_its_own_equation() -> None:
    # The rate is found by halving; put back, the time per token must be the limit that was asked for.
    physics = Physics.of([(one, CHAT_PROMPTS, CHAT_OUTPUTS) for one in (H100, L4, XEON)])
    limit_ms_v = 2.0 * physics.step_ms(np.ones(3))
    rate_v = physics.mean_field_v(limit_ms_v)
    free_v = 1.0 - rate_v * physics.pi_v * 512.0
    share_v = rate_v * 127.0 * physics.b_v / free_v
    running_v = (physics.alpha_v / physics.b_v + 1.0) * share_v / (1.0 - share_v)
    assert (physics.alpha_v + physics.b_v * (running_v + 1.0)) / free_v == pytest.approx(limit_ms_v, rel=1e-6)
    assert (rate_v < physics.capacity_v).all()


def test_mean_field_ends_at_the_capacity_and_at_next_to_nothing() -> None:
    physics = Physics.of([SQUARE, SQUARE])
    assert physics.mean_field_v(np.array([1e9, 1.0])) == pytest.approx(physics.capacity_v * [1.0, 1e-4], rel=1e-6)


def test_questions_worked_out_together_do_not_touch_each_other() -> None:
    rows = [SQUARE, (H100, CHAT_PROMPTS, CHAT_OUTPUTS), (XEON, CHAT_OUTPUTS, CHAT_PROMPTS)]
    apart = [Physics.of([row]).capacity_v[0] for row in rows]
    assert Physics.of(rows).capacity_v.tolist() == apart
