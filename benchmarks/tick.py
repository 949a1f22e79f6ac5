"""How long does each station of one decision take for a generated fleet?

Run: python benchmarks/tick.py [--deployments N] [--seed S] [--json]. The fleet (``fleet``) runs its own first plan; then
the stations of ``decide`` are run one after the other as it runs them, and ``decide`` as a whole. Processor seconds, the
best of some runs. The last line is one JSON object.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from fleet import a_fleet, running
from plimsoll.decide import decide
from plimsoll.domain import Memory
from plimsoll.forecast import forecast, remember_demand
from plimsoll.planning import allocate
from plimsoll.rollout import mark_stock_outs, roll_out
from plimsoll.sizing import NOTHING_SIMULATED, learn, size

RUNS = 2
T = TypeVar("T")


def main() -> int:
    """Prints the seconds of every station and of the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print nothing but the last line")
    arguments = parser.parse_args()
    seconds: dict[str, float] = {}

    def timed(station: str, work: Callable[[], T]) -> T:
        for _ in range(RUNS):
            began = time.process_time()
            result = work()
            seconds[station] = min(seconds.get(station, float("inf")), time.process_time() - began)
        return result

    snapshot, _, _ = a_fleet(arguments.deployments, arguments.seed)
    first = decide(snapshot, Memory())
    snapshot, memory = running(snapshot, first.memory.replicas), first.memory
    remembered = timed("remember", lambda: remember_demand(snapshot, memory))
    forecasts = timed("forecast", lambda: forecast(snapshot, remembered))
    truth = timed("learn", lambda: learn(snapshot, forecasts, memory, NOTHING_SIMULATED))
    options, _ = timed(
        "size", lambda: size(snapshot.deployments, forecasts, NOTHING_SIMULATED, truth.factors, memory.gains)
    )
    outs = timed("stock_outs", lambda: mark_stock_outs(snapshot, memory))
    allocation = timed("plan", lambda: allocate(snapshot, forecasts, options, outs, memory.replicas))
    timed("roll_out", lambda: roll_out(snapshot, forecasts, options, allocation, outs, memory))
    timed("decide", lambda: decide(snapshot, memory))
    stations = {name: round(value, 3) for name, value in seconds.items()}
    if not arguments.json:
        print("\n".join(f"{name:12} {value:.3f} s" for name, value in stations.items()))
    print(json.dumps({"deployments": arguments.deployments, "seconds": stations.pop("decide"), "stations": stations}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
