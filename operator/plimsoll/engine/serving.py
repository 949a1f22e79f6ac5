"""How do requests fare on replicas behind a router? The kernel of ``batching`` in the words of the domain.

In: replicas, requests, a router. Out: latencies, request by request. Pure; randomness is passed in.

Array names end in their axes: i for requests, r for replicas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from plimsoll.domain import StepTime
from plimsoll.engine import arrays
from plimsoll.engine.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Replica:
    """One serving replica: its step-time law, and what bounds a step."""

    step_time: StepTime
    max_sequences: int
    kv_cache_tokens: int
    chunk_tokens: int
    """Prefill tokens that one step takes at most."""


class Router(StrEnum):
    """How requests are spread over the replicas of one deployment."""

    ROUND_ROBIN = "RoundRobin"
    LEAST_LOADED = "LeastLoaded"
    """To the replica with the fewest requests present, running and waiting; the next in turn among equals."""
    WEIGHTED = "Weighted"
    """In turn, each as often as its weight says."""
    RANDOM = "Random"
    """By chance, each as often as its weight says: what a plain Service does."""


_CODES = {
    Router.ROUND_ROBIN: arrays.ROUND_ROBIN,
    Router.LEAST_LOADED: arrays.LEAST_LOADED,
    Router.WEIGHTED: arrays.WEIGHTED,
    Router.RANDOM: arrays.RANDOM,
}


def router_code(router: Router) -> int:
    """What the kernel calls it."""
    return _CODES[router]


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in order of arrival."""

    arrival_ms_i: Floats
    prompt_tokens_i: Ints
    output_tokens_i: Ints

    @property
    def count(self) -> int:
        return int(self.arrival_ms_i.size)


@dataclass(frozen=True, slots=True)
class Latencies:
    """What each request saw, ms."""

    ttft_ms_i: Floats
    tpot_ms_i: Floats
    """Mean time per output token after the first; NaN where there is one token only."""
    e2e_ms_i: Floats


def serve(
    replicas: Sequence[Replica],
    requests: Requests,
    router: Router = Router.LEAST_LOADED,
    weights: Sequence[float] | None = None,
    draws_i: Floats | None = None,
) -> Latencies:
    """Serve every request until it is done.

    Args:
        replicas: one or more; they may differ.
        requests: at least one token of prompt and of output each.
        router: who gets the next request.
        weights: relative shares for the routers that heed them; equal ones where absent.
        draws_i: uniform numbers in [0, 1), one a request; needed by `Router.RANDOM` with more than one replica.

    Raises:
        ValueError: a request does not fit into the KV cache of some replica, or an argument is missing.
    """
    # Loaded by whoever plays first: the compiler takes a second, which estimates and most commands need not wait for.
    from plimsoll.engine.batching import play

    smallest_cache = min(replica.kv_cache_tokens for replica in replicas)
    longest = int((requests.prompt_tokens_i + requests.output_tokens_i).max(initial=0))
    if longest > smallest_cache:
        raise ValueError(f"a request of {longest} tokens does not fit into a KV cache of {smallest_cache}")
    if draws_i is None:
        if router is Router.RANDOM and len(replicas) > 1:
            raise ValueError("Router.RANDOM needs draws_i, one uniform number a request")
        draws_i = np.zeros(requests.count)
    weight_r = np.ones(len(replicas)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight_r.size != len(replicas) or weight_r.min() < 0.0 or weight_r.sum() <= 0.0:
        raise ValueError(f"weights must be one number a replica, none below 0 and not all 0, not {weights}")
    first_ms_i, last_ms_i = np.empty(requests.count), np.empty(requests.count)
    play(
        np.array([_law(replica.step_time) for replica in replicas]),
        np.array([(one.max_sequences, one.kv_cache_tokens, one.chunk_tokens) for one in replicas], dtype=np.int64),
        requests.arrival_ms_i,
        requests.prompt_tokens_i,
        requests.output_tokens_i,
        _CODES[router],
        weight_r,
        draws_i,
        first_ms_i,
        last_ms_i,
    )
    later_tokens_i = requests.output_tokens_i - 1
    return Latencies(
        ttft_ms_i=first_ms_i - requests.arrival_ms_i,
        tpot_ms_i=np.divide(
            last_ms_i - first_ms_i, later_tokens_i, out=np.full(requests.count, np.nan), where=later_tokens_i > 0
        ),
        e2e_ms_i=last_ms_i - requests.arrival_ms_i,
    )


def _law(law: StepTime) -> tuple[float, float, float, float]:
    return law.alpha_ms, law.beta_ms_per_sequence, law.pi_ms_per_prefill_token, law.kappa_ms_per_kv_token
