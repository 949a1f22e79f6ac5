"""How much of what rates show is chance, and not demand that comes and goes?

In: a rate, over how long it is an average, how bursty its traffic is. Out: its variance by chance, and a quantile of
what will be seen less the chance in it. Requests come one by one, and in bursts shorter than the window that a rate is
an average over: it tells the rate behind it only so well. Sizing plays both around the planned rate, so that neither
must be planned for twice. How rates wander from window to window it does not play: that is planned for. What is held
against what came (``outlook``) is told with chance, as what came has it in it. Pure.

A look is an average over a window T, a slot the mean of the looks in it, over S: together a kernel whose square has the
integral (1 - a/(3 b))/b with a the shorter and b the longer of the two. Design: section 4.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import Burstiness
from plimsoll.engine.workload import LEVEL_FACTOR, within_window

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

SHORTER_SHARE: float = sum(share - share**2 / 3.0 for share in (LEVEL_FACTOR**-level for level in range(1, 4)))
"""Of the variance of paces that change four, sixteen and 64 times a window, what a window's mean has: 0.31. Looks do
not begin with the paces: over all the moments at which these may change, paces that change b times a window have 1/b -
1/(3 b^2) of their variance in its mean."""


def shorter_cv2(burstiness: Burstiness) -> float:
    """By how much averages over the window vary for bursts shorter than it, relative to the rate's square."""
    return SHORTER_SHARE * within_window(burstiness).rate_cv2


def variance_of_looks(mean_d: Number, square_d: Number, averaged_s_d: Number, shorter_cv2_d: Number) -> Number:
    """Variance of averages over a window by chance: Poisson arrivals (rate / time) and bursts, in (req/s)^2.

    Args:
        mean_d: of the rates, in requests per second.
        square_d: mean of their squares. Bursts are told relative to the rate at which requests come.
        averaged_s_d: the window.
        shorter_cv2_d: that of bursts shorter than it (`shorter_cv2`).
    """
    return mean_d / averaged_s_d + shorter_cv2_d * square_d


@dataclass(frozen=True, slots=True)
class Chance:
    """Of one deployment's rates."""

    averaged_s: float
    """The window that a look is an average over."""
    shorter_cv2: float
    """That of bursts shorter than it."""
    deviations: float
    """By so many standard deviations a quantile lies above the mean."""

    def taken_off(self, seen_rps: float, expected_rps: float, slot_s: float) -> float:
        """A quantile of what will be seen in a slot, its distance from what is expected less the chance in it.

        Variances add: of the distance's square, that of chance at the same quantile is taken off.
        """
        distance_rps = seen_rps - expected_rps
        if distance_rps <= 0.0 or self.deviations <= 0.0:
            return seen_rps
        shorter, longer = sorted((self.averaged_s, slot_s))
        kernel_per_s = (1.0 - shorter / (3.0 * longer)) / longer
        of_looks = variance_of_looks(expected_rps, expected_rps**2, self.averaged_s, self.shorter_cv2)
        variance = of_looks * self.averaged_s * kernel_per_s
        return expected_rps + math.sqrt(max(0.0, distance_rps**2 - self.deviations**2 * variance))
