"""How is a number said?

In: figures. Out: text. A share is cut, never rounded up: 98.996% is not 99%, and 100% means every single request.
Numbers of one column have the same number of decimals, so that they compare at a glance.
"""

import math
from collections.abc import Sequence

NOTHING = "–"
_MOST_DECIMALS = 6


def usd(value: float | None) -> str:
    """``12,345 USD``, ``12.35 USD``, ``0.0123 USD``, ``0.100 USD``."""
    return NOTHING if value is None else f"{amount(value)} USD"


def amount(value: float | None) -> str:
    """A number with as many digits as mean something."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size >= 1000.0:
        return f"{value:,.0f}"
    if size >= 1.0 or size == 0.0:
        return f"{value:.2f}"
    return f"{value:#.3g}" if size >= 1e-4 else f"{value:.1e}"


def amounts(values: Sequence[float | None]) -> list[str]:
    """A column of numbers: two decimals, fewer from a thousand on, more where the smallest would lose its digits."""
    return with_decimals(values, decimals_of(values))


def decimals_of(values: Sequence[float | None]) -> int:
    """So many as the numbers of a column need."""
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0.0]
    if not sizes:
        return 2
    largest, smallest = max(sizes), min(sizes)
    usual = 0 if largest >= 1000.0 else 2 if largest >= 1.0 else 2 - math.floor(math.log10(largest))
    for_the_smallest = 1 - math.floor(math.log10(smallest))
    return min(max(usual, for_the_smallest), _MOST_DECIMALS)


def with_decimals(values: Sequence[float | None], decimals: int) -> list[str]:
    return [NOTHING if value is None or not math.isfinite(value) else f"{value:,.{decimals}f}" for value in values]


def count(value: float | None) -> str:
    """``12,345``; a mean over seeds that is no whole number has one decimal."""
    return counts([value])[0]


def counts(values: Sequence[float | None]) -> list[str]:
    """A column of counts: one decimal where a mean over seeds below a thousand is no whole number."""
    broken = any(value is not None and value < 1000.0 and not float(value).is_integer() for value in values)
    return [NOTHING if value is None else f"{value:,.{int(broken)}f}" for value in values]


def share(value: float | None) -> str:
    """A percentage with two decimals, cut off."""
    if value is None:
        return NOTHING
    # A hair more, so that 0.29 is 29.00% although 0.29 x 10,000 is 2899.9999.
    return f"{math.floor(value * 10_000 + 1e-6) / 100:.2f}%"


def plain_share(value: float) -> str:
    """``99%``, ``99.5%``: what somebody has chosen, not measured."""
    return f"{value * 100:.6g}%"


def points(value: float | None) -> str:
    """A difference of percentages."""
    return NOTHING if value is None else f"{value * 100:.2f}"


def ratio(value: float | None) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.2f}×"


def span(hours: float) -> str:
    """``45 minutes``, ``6 hours``, ``7 days``."""
    for unit, size in (("day", 24.0), ("hour", 1.0), ("minute", 1 / 60)):
        amount_of = hours / size
        if amount_of >= (2.0 if unit == "day" else 1.0) or unit == "minute":
            text = f"{amount_of:.3g}"
            return f"{text} {unit}{'' if text == '1' else 's'}"
    raise AssertionError("minutes take what is left")
