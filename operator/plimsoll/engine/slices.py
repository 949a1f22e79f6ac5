"""What do requests see while replicas come and go? The kernel of ``batching``, played slice by slice of time.

In: the state that the last slice left, the replicas that take requests and those that only finish theirs. Out: that
state advanced, and the moments of the tokens in it. Between slices the caller may start, drain or stop replicas. A
fixed set of replicas sees what it sees in ``batching.play``, whatever the slices.

A request that finds no replica waits at the router, in order of arrival, and is given up after its patience, like one
that waits in an engine.
"""

import numpy as np

from plimsoll.engine.arrays import RANDOM, ROUND_ROBIN, WEIGHTED, Floats, Ints
from plimsoll.engine.batching import CHANGES_MS, CLOCK_MS, LEAVING, PRESENT, advance, enqueue
from plimsoll.engine.compiled import compiled


@compiled
def play_slice(
    begin_ms: float,
    until_ms: float,
    next_i: int,
    last_place: int,
    live_k: Ints,
    present_k: Ints,
    router: int,
    patience_ms: float,
    law_rc: Floats,
    limits_rc: Ints,
    weight_r: Floats,
    credit_r: Floats,
    real_rc: Floats,
    whole_rc: Ints,
    ends_rn: Ints,
    who_rn: Ints,
    after_i: Ints,
    left_i: Ints,
    arrival_ms_i: Floats,
    prompt_i: Ints,
    output_i: Ints,
    draw_i: Floats,
    replica_i: Ints,
    first_ms_i: Floats,
    last_ms_i: Floats,
) -> tuple[int, int]:
    """Route what arrives before `until_ms` and take all steps that start before it.

    Args:
        begin_ms: when the slice begins; who waits at the router is routed then.
        until_ms: when it ends.
        next_i: the first request that has not been routed.
        last_place: where in `live_k` the last request went.
        live_k: replicas that take requests.
        present_k: all replicas that may hold requests, those included.
        router: one of the codes of ``arrays``.
        patience_ms: after which a client that has not been admitted goes away.
        law_rc: as in ``batching.play``; rows of replicas that are gone are not read.
        limits_rc: the same.
        weight_r: what a replica takes relative to others; the router of least load divides the load by it.
        credit_r: carried along for WEIGHTED.
        real_rc: carried along, rows by ``batching.empty``.
        whole_rc: the same.
        ends_rn: carried along.
        who_rn: carried along.
        after_i: carried along, NOBODY at first.
        left_i: carried along, the prompt's tokens at first.
        arrival_ms_i: ascending.
        prompt_i: prompt tokens, at least 1.
        output_i: output tokens, at least 1.
        draw_i: uniform in [0, 1), for RANDOM.
        replica_i: filled with the replica that took the request.
        first_ms_i: filled with the moment of the first token; infinite for a request that was given up or refused.
        last_ms_i: filled with the moment of the last token; the same.

    Returns:
        The first request that has not been routed, and where the last one went.
    """
    i, place, count = next_i, last_place, live_k.size
    total_weight = 0.0
    for k in range(count):
        total_weight += weight_r[live_k[k]]
    while count > 0 and i < arrival_ms_i.size and arrival_ms_i[i] < until_ms:
        now_ms = max(arrival_ms_i[i], begin_ms)
        if now_ms - arrival_ms_i[i] > patience_ms:
            first_ms_i[i], last_ms_i[i] = np.inf, np.inf
            i += 1
            continue
        if count == 1:
            place = 0
        elif router == ROUND_ROBIN:
            place = place + 1 if place + 1 < count else 0
        elif router == WEIGHTED:
            for k in range(count):
                credit_r[live_k[k]] += weight_r[live_k[k]]
            place = 0
            for k in range(1, count):
                if credit_r[live_k[k]] > credit_r[live_k[place]]:
                    place = k
            credit_r[live_k[place]] -= total_weight
        elif router == RANDOM:
            rest = draw_i[i] * total_weight
            place = 0
            while place < count - 1 and rest >= weight_r[live_k[place]]:
                rest -= weight_r[live_k[place]]
                place += 1
        else:
            start, least = place + 1, np.inf
            for offset in range(count):
                k = (start + offset) % count
                r = live_k[k]
                if real_rc[r, CHANGES_MS] <= now_ms:
                    advance(
                        r, now_ms, law_rc, limits_rc, real_rc, whole_rc, ends_rn, who_rn, after_i, left_i,
                        arrival_ms_i, prompt_i, output_i, patience_ms, first_ms_i, last_ms_i,
                    )  # fmt: skip
                present = whole_rc[r, PRESENT]
                if real_rc[r, CLOCK_MS] > now_ms:
                    present += whole_rc[r, LEAVING]
                load = (present + 1) / weight_r[r]
                if load < least:
                    least, place = load, k
        chosen = live_k[place]
        replica_i[i] = chosen
        if prompt_i[i] + output_i[i] > limits_rc[chosen, 1]:
            # It would wait for ever, and everybody behind it.
            first_ms_i[i], last_ms_i[i] = np.inf, np.inf
            i += 1
            continue
        advance(
            chosen, now_ms, law_rc, limits_rc, real_rc, whole_rc, ends_rn, who_rn, after_i, left_i,
            arrival_ms_i, prompt_i, output_i, patience_ms, first_ms_i, last_ms_i,
        )  # fmt: skip
        enqueue(chosen, i, now_ms, real_rc, whole_rc, after_i)
        i += 1
    for k in range(present_k.size):
        advance(
            present_k[k], until_ms, law_rc, limits_rc, real_rc, whole_rc, ends_rn, who_rn, after_i, left_i,
            arrival_ms_i, prompt_i, output_i, patience_ms, first_ms_i, last_ms_i,
        )  # fmt: skip
    return i, place
