"""Which requests come to one deployment during a run?

In: arrays. Out: a frozen value with what is often asked of it. Array names end in their axes: i for requests, m for
minutes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from plimsoll.engine.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests in order of arrival."""

    arrival_s_i: Floats
    """Since the start of the run."""
    prompt_tokens_i: Ints
    output_tokens_i: Ints

    @classmethod
    def merged(cls, parts: Iterable["Traffic"]) -> "Traffic":
        """All of them in one order of arrival."""
        found = list(parts)
        if not found:
            return cls(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        arrival_s_i = np.concatenate([one.arrival_s_i for one in found])
        order_i = np.argsort(arrival_s_i, kind="stable")
        return cls(
            arrival_s_i[order_i],
            np.concatenate([one.prompt_tokens_i for one in found])[order_i],
            np.concatenate([one.output_tokens_i for one in found])[order_i],
        )

    @property
    def count(self) -> int:
        return int(self.arrival_s_i.size)

    def rate_rps_m(self, minutes: int) -> Floats:
        """Requests per second in each minute of the run."""
        counts_m = np.bincount((self.arrival_s_i // 60.0).astype(np.int64), minlength=minutes)[:minutes]
        rates_m: Floats = counts_m / 60.0
        return rates_m
