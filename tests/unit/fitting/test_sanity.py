"""Is nonsense refused with the place of it and what to change?"""

from dataclasses import replace

import pytest

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting import DecodeStep, LoadPoint, Observation, PromptPass, fit
from unit.fitting.engines import a_decode_step, static_batches


def point(**fields: float) -> LoadPoint:
    return replace(LoadPoint("p.csv line 7", 2.0, 500, 200, 9.0, 40.0, 60.0, 10.0), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nonsense", "says"),
    [
        (point(ttft_ms=3.0), "p.csv line 7: the first token took 3 ms, less than one step .* prefix caching"),
        (point(ttft_ms=0.04), "p.csv line 7: the first token took 0.04 ms.*units"),
        (point(itl_ms=0.009), "p.csv line 7: 0.009 ms per output token is faster.*multiply it by 1000"),
        (point(itl_ms=9e6), "p.csv line 7: .*over a minute.*microseconds or nanoseconds"),
        (point(ttft_p95_ms=4.0), "p.csv line 7: the p95 of ttft is 4 ms, below the typical 40 ms.*swapped"),
        (point(itl_p95_ms=1.0), "the p95 of itl is 1 ms"),
        (DecodeStep("b.csv line 2", 0.05, 1, 100), "b.csv line 2: 0.05 ms per output token"),
        (PromptPass("b.csv line 3", 0.01, 1000), "b.csv line 3: 0.01 ms for 1000 prompt tokens.*multiply it by 1000"),
    ],
)
def test_figures_that_cannot_be_true_are_refused(nonsense: Observation, says: str) -> None:
    with pytest.raises(UnusableMeasurements, match=says):
        fit([*static_batches(), nonsense])


def test_a_first_token_a_little_faster_than_a_loaded_step_is_believed() -> None:
    """Among long prompts of others, a short prompt's own step may be shorter than the mean one."""
    assert fit([*static_batches(), point(rate_rps=20.0, ttft_ms=8.5)]).observations == 16


def test_one_figure_is_too_few() -> None:
    with pytest.raises(UnusableMeasurements, match=r"1 figure is too few.*several loads"):
        fit(static_batches()[:1])


def test_one_load_point_is_too_few_although_it_says_two_things() -> None:
    with pytest.raises(UnusableMeasurements, match=r"line 7 is the only measurement.*several loads"):
        fit([point()])


def test_the_same_measurement_again_and_again_is_refused() -> None:
    with pytest.raises(UnusableMeasurements, match=r"batch 4 and all others are the same measurement"):
        fit([a_decode_step(4, 100)] * 5)


def test_more_sequences_than_slots_are_refused() -> None:
    """100 requests a second x 199 output tokens after the first x 9 ms: 179 at once."""
    with pytest.raises(UnusableMeasurements, match=r"line 7: 179 sequences.*more than the 128 of --max-sequences"):
        fit([*static_batches(), point(rate_rps=100.0)], max_sequences=128)
