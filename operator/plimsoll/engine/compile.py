"""``python -m plimsoll.engine.compile``: compile the kernel now, so that no start has to; a step of building an image.

In: the environment that numba reads (see ``compiled_ahead``). Out: machine code in ``NUMBA_CACHE_DIR``. With --check it
compiles nothing that is to be kept: it ends with 1 where the code is not found, which would cost every start 10 s.
"""

import sys
from typing import Any

from plimsoll.domain import Burstiness, LatencyMetric, LatencyTarget, StepTime
from plimsoll.engine import compiled_ahead
from plimsoll.engine.batching import play
from plimsoll.engine.case import Case
from plimsoll.engine.search import Trial
from plimsoll.engine.serving import Replica
from plimsoll.engine.workload import Lengths

_ANY = Case(
    replica=Replica(StepTime(5.0, 0.02, 0.02, 0.00005), 8, 10_000, 2048),
    prompts=Lengths(100.0, 200.0),
    outputs=Lengths(20.0, 40.0),
    slo=(LatencyTarget(LatencyMetric.TTFT, 0.95, 1000.0),),
    burstiness=Burstiness(0.5, 60.0),
)
"""The types are those of every case; the figures do not matter."""


def main(arguments: list[str]) -> int:
    """Play a few requests; 1 when a check had to compile for it."""
    Trial(_ANY, replicas=2, requests=100).latencies(0.001)
    if "--check" in arguments:
        dispatcher: Any = play
        found = bool(dispatcher.stats.cache_hits) and not dispatcher.stats.cache_misses
        sys.stderr.write(f"machine code {'found' if found else 'not found: every start would compile it'}\n")
        return int(not found)
    compiled_ahead.forget_addresses()
    compiled_ahead.note()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
