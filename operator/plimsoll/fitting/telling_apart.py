"""Which terms can these measurements tell apart at all?

In: equations. Out: the terms that can be solved for, and a sentence for each that cannot, with what to measure. Two
terms are one where their counts rise and fall together in every equation: then the one that matters less is left out.
A token costs its arithmetic whether it is read or written, so beta and pi stand in for each other: neither may be 0
just because nobody measured it, that would promise what the hardware cannot hold.

Array names end in their axes: e for equations, t for terms.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plimsoll.fitting.least_squares import Floats, relative
from plimsoll.fitting.observations import Equation, Term

_TERMS = tuple(Term)
_COLLINEAR = 100.0
"""Condition number, columns of equal length, beyond which errors of a percent become errors of the term itself
(Belsley, Kuh and Welsch 1980 call 30 to 100 moderate to strong)."""
_VARY = 1.5
"""The most sequences over the fewest, from where on they count as different: guess, well above rounding."""
_TAKES_PART = 0.3
"""Share of a term in the direction that the equations do not fix, from where on it is named."""
_LEFT_OUT_FIRST = (Term.KAPPA, Term.OVERHEAD, Term.BETA, Term.PI)

_MEANING = {
    Term.ALPHA: "alpha (ms of a step whatever it holds)",
    Term.BETA: "beta (ms per running sequence)",
    Term.PI: "pi (ms per prompt token)",
    Term.KAPPA: "kappa (ms per token in the KV cache)",
    Term.OVERHEAD: "the time to first token spent outside the engine's steps",
}
_MEASURE = {
    Term.ALPHA: "add one with a single sequence running",
    Term.BETA: "add output speed with 8 and with 32 sequences running (or the highest rate you expect)",
    Term.PI: "add prompt speed or time to first token, at two prompt lengths",
    Term.KAPPA: "add output speed at the same number of sequences with a short and with a long context",
    Term.OVERHEAD: "add the time to first token of a short prompt on an idle server",
}
_INSTEAD = {
    Term.ALPHA: "it is taken as 0",
    Term.BETA: "it is taken to be the same as pi",
    Term.PI: "it is taken to be the same as beta",
    Term.KAPPA: "it is taken as 0",
    Term.OVERHEAD: "it is taken as 0",
}
_NO_MATTER = frozenset({Term.OVERHEAD})
"""Terms that nobody misses where no measurement has them: static batches see no HTTP."""


def tell_apart(equations: Sequence[Equation]) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which terms to solve for, in the order of `Term`, and what to say of the others."""
    rows_et = relative(equations)
    length_t = np.linalg.norm(rows_et, axis=0)
    used_t = length_t > 0.0
    used_t[_place(Term.BETA)] &= _sequences_vary(rows_et)
    notes = [_absent(term) for term in _LEFT_OUT_FIRST if not used_t[_place(term)] and term not in _NO_MATTER]
    while used_t.sum() > 1:
        together = _inseparable(rows_et[:, used_t] / length_t[used_t])
        if together is None:
            break
        mixed = [term for term, part in zip(_kept(used_t), together, strict=True) if part > _TAKES_PART]
        out = next(term for term in (*_LEFT_OUT_FIRST, Term.ALPHA) if term in mixed)
        used_t[_place(out)] = False
        notes.append(_mixed(out, [term for term in mixed if term is not out]))
    return used_t, tuple(notes)


def _sequences_vary(rows_et: Floats) -> bool:
    """Whether outputs were measured at different numbers of sequences; one number against the none of a lone prompt
    only shows how decoding differs from prefill."""
    sequences_e = rows_et[:, _place(Term.BETA)] / rows_et[:, _place(Term.ALPHA)]
    some_e = sequences_e[sequences_e > 0.0]
    return bool(some_e.size) and bool(some_e.max() > _VARY * some_e.min())


def _inseparable(columns_et: Floats) -> Floats | None:
    """How much each term takes part in the direction least fixed; None where all directions are fixed."""
    _, sizes, directions = np.linalg.svd(columns_et, full_matrices=False)
    if sizes.size == columns_et.shape[1] and sizes[-1] * _COLLINEAR > sizes[0]:
        return None
    part_t: Floats = np.abs(_least_fixed(directions, columns_et.shape[1]))
    return part_t


def _least_fixed(directions: Floats, terms: int) -> Floats:
    if directions.shape[0] == terms:
        last: Floats = directions[-1]
        return last
    # Fewer equations than terms: a direction at right angles to all of them.
    rest: Floats = np.linalg.svd(directions)[2][-1]
    return rest


def _absent(term: Term) -> str:
    return f"{_MEANING[term]} is unknown, the measurements do not depend on it; {_INSTEAD[term]}: {_MEASURE[term]}"


def _mixed(out: Term, others: Sequence[Term]) -> str:
    with_whom = " and ".join(_MEANING[term] for term in others)
    return (
        f"{_MEANING[out]} cannot be told apart from {with_whom}; {_INSTEAD[out]}, and the result holds only for loads"
        f" like those measured: {_MEASURE[out]}"
    )


def _kept(used_t: NDArray[np.bool_]) -> list[Term]:
    return [term for term, used in zip(_TERMS, used_t, strict=True) if used]


def _place(term: Term) -> int:
    return _TERMS.index(term)
