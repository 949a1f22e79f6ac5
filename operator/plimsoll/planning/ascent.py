"""Climbing a smooth concave function within bounds, by limited-memory quasi-Newton steps.

In: the function with its slope, a start, bounds. Out: the best point found. Plain NumPy on short vectors: the same
steps on every machine, without a linear algebra library's threads, which cost more than they help at this size.

Source: Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4 (two-loop recursion); Bertsekas, Projected
Newton methods for optimization problems with simple constraints, 1982 (what the slope
pushes out of its bounds stays).
"""

from collections.abc import Callable

import numpy as np

from plimsoll.planning.tables import Floats

MEMORY = 12
"""Steps remembered. Convention: 5 to 20."""
RISE = 1e-4
"""Share of the promised rise that a step must bring (Armijo). Convention."""
SHORTENINGS = 12
CURVATURE = 1e-12

Slope = tuple[float, Floats]


def climb(
    function: Callable[[Floats], Slope], start: Floats, lower: Floats, upper: Floats, most_steps: int, least_gain: float
) -> Floats:
    """The highest point found.

    Args:
        function: value and slope at a point.
        start: where to begin, within bounds.
        lower: by number.
        upper: by number.
        most_steps: when to stop.
        least_gain: two steps in a row that gain less than this share of the value end it as well.
    """
    point, (value, slope) = start, function(start)
    past: list[tuple[Floats, Floats]] = []
    gains = [np.inf]
    for _ in range(most_steps):
        held = ((point <= lower) & (slope < 0)) | ((point >= upper) & (slope > 0))
        direction = np.where(held, 0.0, _direction(np.where(held, 0.0, slope), past))
        if direction @ slope <= 0:
            past, direction = [], np.where(held, 0.0, slope)
        length = 1.0 if past else min(1.0, 1.0 / max(float(np.abs(direction).max(initial=0.0)), CURVATURE))
        for _ in range(SHORTENINGS):
            there = np.clip(point + length * direction, lower, upper)
            found = function(there)
            if found[0] >= value + RISE * float(slope @ (there - point)):
                break
            length *= 0.4
        else:
            return point
        step, turn = there - point, slope - found[1]
        if step @ turn > CURVATURE:
            past = [*past, (step, turn)][-MEMORY:]
        gains.append((found[0] - value) / max(1.0, abs(value)))
        point, (value, slope) = there, found
        if all(gain < least_gain for gain in gains[-2:]):
            break
    return point


def _direction(slope: Floats, past: list[tuple[Floats, Floats]]) -> Floats:
    """The slope, turned by what past steps tell of the curvature."""
    direction, weights = slope.copy(), list[float]()
    for step, turn in reversed(past):
        weights.append(float(step @ direction) / float(step @ turn))
        direction -= weights[-1] * turn
    if past:
        step, turn = past[-1]
        direction *= float(step @ turn) / float(turn @ turn)
    for (step, turn), weight in zip(past, reversed(weights), strict=True):
        direction += (weight - float(turn @ direction) / float(step @ turn)) * step
    return direction
