"""Where do requests come from? Traces, rates, clients, or a made-up rate.

In: the sources of one deployment, a stream of chance. Out: its `Traffic` over the run. One file a kind of source.
"""

from collections.abc import Iterator

import numpy as np

from plimsoll.domain import ObjectKey
from plimsoll.simulator.demand import clients, generated, requests, shape
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.traffic import Traffic


def draw_traffic(scenario: Scenario, key: ObjectKey, rng: np.random.Generator) -> Traffic:
    """Everything that is asked of one deployment; nothing where no source names it."""
    return Traffic.merged(_parts(scenario, key, rng))


def _parts(scenario: Scenario, key: ObjectKey, rng: np.random.Generator) -> Iterator[Traffic]:
    for source in scenario.demand.get(key, ()):
        if source.requests is not None:
            yield requests.draw(scenario, source.requests, rng)
        elif source.shape is not None:
            yield shape.draw(scenario, source.shape, rng)
        elif source.clients is not None:
            yield clients.draw(scenario, source.clients, rng)
        elif source.generated is not None:
            yield generated.draw(scenario, source.generated, rng)
