"""Which terms fit the equations best? Robust least squares of relative errors, with no term below zero.

In: equations. Out: a value for each term. A measurement counts by its relative error, an outlier by no more than a few
of its kind's usual scatter (Huber), and kinds that scatter more count less.

Array names end in their axes: e for equations, t for terms.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plimsoll.fitting.observations import Equation, Figure, Term

Floats = NDArray[np.float64]

_HUBER = 1.345
"""In units of the scatter: 95% as efficient as least squares where errors are normal (Huber 1981)."""
_MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for normal errors."""
_LEAST_SCATTER = 0.01
"""Measurements repeat no better than to a percent: guess; it keeps one kind from taking all the weight."""
_FEW = 8
"""Below so many equations a kind has no scatter of its own to speak of, and takes that of all: guess."""
_BETA, _PI = list(Term).index(Term.BETA), list(Term).index(Term.PI)
_ROUNDS = 30
"""Of reweighting; it converges in 5 to 15 on the data sets tried."""


def relative(equations: Sequence[Equation]) -> Floats:
    """The counts divided by what was measured: a perfect law makes every row 1."""
    return np.array([equation.counts for equation in equations]) / measured(equations)[:, None]


def measured(equations: Sequence[Equation]) -> Floats:
    """What was measured, ms."""
    return np.array([equation.measured_ms for equation in equations])


def solve(equations: Sequence[Equation], used_t: NDArray[np.bool_]) -> Floats:
    """The terms, ms each, in the order of `Term`; 0 for those not used, but beta and pi are one where one is unused."""
    if used_t[_BETA] and used_t[_PI]:
        terms_t = _solve(relative(equations), equations, used_t)
        if terms_t[_PI] > 0.0 or terms_t[_BETA] <= 0.0:
            return terms_t
        # No prompt is free: scatter in other terms has swallowed it.
    rows_et = relative(equations)
    rows_et[:, _BETA] += rows_et[:, _PI]
    one_t = used_t.copy()
    one_t[_BETA], one_t[_PI] = True, False
    terms_t = _solve(rows_et, equations, one_t)
    terms_t[_PI] = terms_t[_BETA]
    return terms_t


def _solve(all_et: Floats, equations: Sequence[Equation], used_t: NDArray[np.bool_]) -> Floats:
    # Loaded where something is fitted: it takes a second, which no other command need wait for.
    from scipy.optimize import nnls

    rows_et = all_et[:, used_t]
    kinds_e = np.array([list(Figure).index(equation.figure) for equation in equations])
    weight_e = np.ones(len(equations))
    found_t = np.zeros(int(used_t.sum()))
    for _ in range(_ROUNDS):
        before_t = found_t
        found_t, _ = nnls(rows_et * weight_e[:, None], weight_e)
        weight_e = _weights(rows_et @ found_t - 1.0, kinds_e)
        if np.allclose(found_t, before_t, rtol=1e-6, atol=0.0):
            break
    terms_t = np.zeros(used_t.size)
    terms_t[used_t] = found_t
    return terms_t


def _weights(error_e: Floats, kinds_e: NDArray[np.int64]) -> Floats:
    """Square roots of the weights of the squared errors."""
    scatter_e = np.full(error_e.size, _scatter(error_e))
    for kind in np.unique(kinds_e):
        mine_e = kinds_e == kind
        if mine_e.sum() >= _FEW:
            scatter_e[mine_e] = _scatter(error_e[mine_e])
    size_e = np.abs(error_e) / scatter_e
    huber_e = _HUBER / np.maximum(size_e, _HUBER)
    weights_e: Floats = np.sqrt(huber_e) / scatter_e
    return weights_e


def _scatter(error_e: Floats) -> float:
    return max(_LEAST_SCATTER, _MAD_TO_SIGMA * float(np.median(np.abs(error_e))))
