"""What is the step-time law of this engine, and how far can it be trusted?

In: observations. Out: a `Fit`: the terms, the error on measurements left out, the range, and what the data cannot say.

Array names end in their axes: e for equations, t for terms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import StepTime, ValidityRange
from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.least_squares import Floats, relative, solve
from plimsoll.fitting.observations import Equation, Figure, Observation
from plimsoll.fitting.sanity import check
from plimsoll.fitting.telling_apart import tell_apart

CHUNK_TOKENS = 2048
"""Prefill tokens of one step where nobody says otherwise: vLLM's default on most hardware."""
_FOLDS = 64
"""Up to so many observations each is left out alone, more in so many groups: enough for a stable mean."""


_EXACT = (
    "{equations} figures are hardly more than the terms fitted: the fit is nearly exact and its error hardly known: add"
    " measurements"
)
_SWALLOWED = (
    "pi (ms per prompt token) came out as 0, which no hardware does; it is taken to be the same as beta: add time to"
    " first token at a short and at a long prompt"
)


@dataclass(frozen=True, slots=True)
class Errors:
    """Relative errors of one kind of figure, each predicted by a law that never saw it."""

    count: int
    mean_ratio: float
    median_ratio: float
    worst_ratio: float
    worst_where: str


@dataclass(frozen=True, slots=True)
class Fit:
    """A step-time law with what is known about it."""

    step_time: StepTime
    ttft_overhead_ms: float
    """Of a first token outside the engine's steps: HTTP, tokenising. 0 where no time to first token was measured."""
    errors: Mapping[Figure, Errors]
    """By leave-one-out; only kinds that were measured."""
    assumed: bool
    """Whether beta and pi are one value, because the data show only one of them."""
    notes: tuple[str, ...]
    """What the data cannot tell, each with what to measure."""
    validity: ValidityRange
    observations: int

    @property
    def error_ratio(self) -> float:
        """Mean over all figures that are engine steps alone; over first tokens only where there is nothing else."""
        steps = [errors for figure, errors in self.errors.items() if figure is not Figure.TTFT]
        kinds = steps or list(self.errors.values())
        return sum(one.mean_ratio * one.count for one in kinds) / sum(one.count for one in kinds)


def fit(
    observations: Sequence[Observation], chunk_tokens: float = CHUNK_TOKENS, max_sequences: int | None = None
) -> Fit:
    """The law that fits best, with its leave-one-out errors.

    Args:
        observations: of one model build on one engine and hardware.
        chunk_tokens: prefill tokens that one step took at most when it was measured.
        max_sequences: that ran at once at most, where known; more is refused.

    Raises:
        UnusableMeasurements: they cannot be true, are too few, or leave no time for a step that holds nothing.
    """
    check(observations, max_sequences)
    groups = [observation.equations(chunk_tokens) for observation in observations]
    equations = [equation for group in groups for equation in group]
    used_t, notes = tell_apart(equations)
    terms_t = solve(equations, used_t)
    alpha, beta, pi, kappa, overhead = (float(term) for term in terms_t)
    if beta == pi == 0.0:
        raise UnusableMeasurements(
            f"{equations[0].where} and the others do not show what a further sequence or prompt token costs (beta and"
            " pi are 0): add measurements with more sequences, and with two prompt lengths"
        )
    if alpha <= 0.0:
        raise UnusableMeasurements(
            f"{equations[0].where} and the others leave no fixed time of a step (alpha is 0), which every engine has:"
            " add the time per output token with a single sequence running"
        )
    return Fit(
        step_time=StepTime(alpha, beta, pi, kappa),
        ttft_overhead_ms=overhead,
        errors=_left_out_errors(groups, used_t),
        assumed=beta == pi,
        notes=(*notes, *_remarks(len(equations), terms_t, used_t)),
        validity=_validity(observations),
        observations=len(observations),
    )


def _remarks(equations: int, terms_t: Floats, used_t: NDArray[np.bool_]) -> tuple[str, ...]:
    swallowed = (_SWALLOWED,) if _swallowed(terms_t, used_t) else ()
    exact = (_EXACT.format(equations=equations),) if equations <= used_t.sum() + 1 else ()
    return swallowed + exact


def _swallowed(terms_t: Floats, used_t: NDArray[np.bool_]) -> bool:
    """Whether prompts came out as free although the data could have told."""
    _, beta_used, pi_used, _, _ = used_t
    _, beta, pi, _, _ = terms_t
    return bool(beta_used and pi_used and beta == pi)


def _left_out_errors(groups: Sequence[tuple[Equation, ...]], used_t: NDArray[np.bool_]) -> Mapping[Figure, Errors]:
    seen: dict[Figure, list[tuple[float, str]]] = {}
    folds = min(len(groups), _FOLDS)
    for fold in range(folds):
        out = [equation for group in groups[fold::folds] for equation in group]
        rest = [equation for place, group in enumerate(groups) if place % folds != fold for equation in group]
        for equation, error in zip(out, _errors(out, solve(rest, used_t)), strict=True):
            seen.setdefault(equation.figure, []).append((abs(float(error)), equation.where))
    return MappingProxyType({figure: _summary(errors) for figure, errors in sorted(seen.items())})


def _errors(equations: Sequence[Equation], terms_t: Floats) -> Floats:
    """Predicted over measured, minus one."""
    error_e: Floats = relative(equations) @ terms_t - 1.0
    return error_e


def _summary(errors: Sequence[tuple[float, str]]) -> Errors:
    sizes = np.array([size for size, _ in errors])
    worst_ratio, worst_where = max(errors)
    return Errors(len(errors), float(sizes.mean()), float(np.median(sizes)), worst_ratio, worst_where)


def _validity(observations: Sequence[Observation]) -> ValidityRange:
    prompts = [one.prompt_tokens for one in observations if one.prompt_tokens is not None]
    outputs = [one.output_tokens for one in observations if one.output_tokens is not None]
    return ValidityRange(max(prompts, default=None), max(outputs, default=None))
