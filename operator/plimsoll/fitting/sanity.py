"""Can these measurements be true? Refused before anything is fitted, with file, line and what to change.

In: observations. Out: nothing, or `UnusableMeasurements`.
"""

from collections.abc import Sequence
from dataclasses import replace

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.observations import DecodeStep, LoadPoint, Observation, PromptPass

_LEAST = 2
"""Different figures: a fixed time and one that grows."""
_SLACK = 1.05
"""Little's law from rounded figures is right within a few percent."""
_FASTEST_STEP_MS = 0.2
"""No engine takes a step faster than this: the fastest published steps of a model take about a millisecond."""
_SLOWEST_STEP_MS = 60_000.0
"""A minute a token: nobody serves like that, but microseconds read as milliseconds look like it."""


def check(observations: Sequence[Observation], max_sequences: int | None = None) -> None:
    """Nothing, if they can be worked with.

    Args:
        observations: as read.
        max_sequences: that the engine runs at once, where known.

    Raises:
        UnusableMeasurements: one of them cannot be true, or there are too few.
    """
    for observation in observations:
        _check_one(observation)
        _check_slots(observation, max_sequences)
    _check_enough(observations)


def _check_enough(observations: Sequence[Observation]) -> None:
    if len(observations) > 1 and len({replace(observation, where="") for observation in observations}) == 1:
        raise UnusableMeasurements(
            f"{observations[0].where} and all others are the same measurement, repeated: measure at several loads or"
            " batch sizes"
        )
    figures = len({(type(one), figure) for one in observations for figure in _figures(one)})
    if figures < _LEAST:
        raise UnusableMeasurements(
            f"{figures} figure is too few, at least {_LEAST} are needed: measure at several loads or batch sizes, and"
            " at two prompt lengths"
        )
    if len(observations) == 1:
        raise UnusableMeasurements(
            f"{observations[0].where} is the only measurement, so that none is left to tell the fit's error by: measure"
            " at several loads or batch sizes, and at two prompt lengths"
        )


def _figures(observation: Observation) -> tuple[object, ...]:
    """What it says: a load point two things, if it has a time to first token."""
    bare = replace(observation, where="")
    if isinstance(bare, LoadPoint) and bare.ttft_ms is not None:
        return replace(bare, ttft_ms=None), bare
    return (bare,)


def _check_slots(observation: Observation, max_sequences: int | None) -> None:
    if isinstance(observation, LoadPoint) and max_sequences and observation.running > _SLACK * max_sequences:
        raise UnusableMeasurements(
            f"{observation.where}: {observation.running:.0f} sequences ran at once (rate x output tokens x time per"
            f" output token), more than the {max_sequences} of --max-sequences: give the engine's own limit, or check"
            " the units"
        )


def _check_one(observation: Observation) -> None:
    if isinstance(observation, DecodeStep):
        _check_step(observation.where, observation.step_ms)
    elif isinstance(observation, LoadPoint):
        _check_step(observation.where, observation.itl_ms)
        _check_first_token(observation)
    else:
        _check_prompt(observation)


def _check_step(where: str, step_ms: float) -> None:
    if step_ms < _FASTEST_STEP_MS:
        raise UnusableMeasurements(
            f"{where}: {step_ms:g} ms per output token is faster than any engine: if the figure is in seconds, multiply"
            " it by 1000"
        )
    if step_ms > _SLOWEST_STEP_MS:
        raise UnusableMeasurements(
            f"{where}: {step_ms:g} ms per output token is over a minute: if it is in microseconds or nanoseconds,"
            " convert it"
        )


def _check_first_token(point: LoadPoint) -> None:
    if point.ttft_ms is not None and point.ttft_ms < point.itl_ms and not _only_slow_on_average(point):
        raise UnusableMeasurements(
            f"{point.where}: the first token took {point.ttft_ms:g} ms, less than one step ({point.itl_ms:g} ms),"
            " though it needs a step of its own: check the units (milliseconds), and whether prompts were cached from"
            " an earlier run (switch prefix caching off to measure)"
        )
    for name, typical, high in (
        ("ttft", point.ttft_ms, point.ttft_p95_ms),
        ("itl", point.itl_ms, point.itl_p95_ms),
    ):
        if typical is not None and high is not None and high < 0.8 * typical:
            raise UnusableMeasurements(
                f"{point.where}: the p95 of {name} is {high:g} ms, below the typical {typical:g} ms: are the columns"
                " swapped?"
            )


def _only_slow_on_average(point: LoadPoint) -> bool:
    """Steps that carry others' long prompts make the mean step longer than a short prompt's own one, but not double."""
    assert point.ttft_ms is not None
    return not point.alone and point.ttft_ms > 0.5 * point.itl_ms


def _check_prompt(one: PromptPass) -> None:
    per_token_ms = one.total_ms / (one.prompts * one.prompt_tokens)
    if per_token_ms < 1e-4:
        raise UnusableMeasurements(
            f"{one.where}: {one.total_ms:g} ms for {one.prompts * one.prompt_tokens:g} prompt tokens is over ten"
            " million tokens a second: if the time is in seconds, multiply it by 1000"
        )
