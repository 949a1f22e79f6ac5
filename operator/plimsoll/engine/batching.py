"""What does every single request see: continuous batching with chunked prefill, step by step.

In: replicas as arrays, requests in order of arrival. Out: for each request the moment of its first token and of its
last one. Compiled, single-threaded, deterministic. The plain, slow twin in the tests agrees request by request.

The engine: a step takes ``alpha + beta n + pi p + kappa C`` ms, with n sequences that decode, p prefill tokens (at
most the chunk budget, first come first served over the admitted sequences) and C tokens resident in the KV cache when
the step starts. A request is admitted, in order of arrival, when a step starts with a slot free and room in the KV
cache for its prompt and its whole output. The step that ends its prefill gives its first token, every later step one
more. Steps without prefill change nothing but C until somebody arrives or is done: they are summed up, not played.
"""

import math

import numpy as np

from plimsoll.engine.arrays import RANDOM, ROUND_ROBIN, WEIGHTED, Floats, Ints
from plimsoll.engine.compiled import compiled

NOBODY = -1
IDLE = np.inf
_FOR_EVER = np.inf

# Columns of the state of the replicas, kept in two arrays so that the loops below can share it.
CLOCK_MS, RESIDENT, RESERVED, CHANGES_MS = 0, 1, 2, 3
STEPS, DECODING, ADMITTED, PRESENT, LEAVING, PREFILL, WAITING, TAIL, LAST = 0, 1, 2, 3, 4, 5, 6, 7, 8
REALS, WHOLES = 4, 9


@compiled
def play(
    law_rc: Floats,
    limits_rc: Ints,
    arrival_ms_i: Floats,
    prompt_i: Ints,
    output_i: Ints,
    router: int,
    weight_r: Floats,
    draw_i: Floats,
    first_ms_i: Floats,
    last_ms_i: Floats,
) -> None:
    """Route and serve all requests until the last one is done.

    Args:
        law_rc: alpha, beta, pi, kappa of each replica.
        limits_rc: slots, KV cache tokens, chunk budget of each replica.
        arrival_ms_i: ascending.
        prompt_i: prompt tokens, at least 1.
        output_i: output tokens, at least 1; prompt and output together fit into every replica's KV cache.
        router: one of the codes of ``arrays``.
        weight_r: relative share of each replica, for WEIGHTED and RANDOM.
        draw_i: uniform in [0, 1), read by RANDOM only.
        first_ms_i: filled with the moment of the first token.
        last_ms_i: filled with the moment of the last token.
    """
    replicas, requests = law_rc.shape[0], arrival_ms_i.size
    real_rc, whole_rc = np.zeros((replicas, REALS)), np.zeros((replicas, WHOLES), dtype=np.int64)
    for r in range(replicas):
        empty(r, real_rc, whole_rc)
    most = min(limits_rc[:, 0].max(), requests)
    ends_rn, who_rn = np.zeros((replicas, most), dtype=np.int64), np.zeros((replicas, most), dtype=np.int64)
    after_i, left_i = np.full(requests, NOBODY, dtype=np.int64), prompt_i.copy()
    credit_r = np.zeros(replicas)
    total_weight = weight_r.sum()
    chosen = replicas - 1
    for i in range(requests):
        now_ms = arrival_ms_i[i]
        if replicas == 1:
            chosen = 0
        elif router == ROUND_ROBIN:
            chosen = chosen + 1 if chosen + 1 < replicas else 0
        elif router == WEIGHTED:
            # Smooth weighted round robin: everybody earns its weight, the richest pays for all.
            for r in range(replicas):
                credit_r[r] += weight_r[r]
            chosen = int(np.argmax(credit_r))
            credit_r[chosen] -= total_weight
        elif router == RANDOM:
            rest = draw_i[i] * total_weight
            chosen = 0
            while chosen < replicas - 1 and rest >= weight_r[chosen]:
                rest -= weight_r[chosen]
                chosen += 1
        else:
            start, fewest = chosen + 1, np.int64(1 << 62)
            for offset in range(replicas):
                r = (start + offset) % replicas
                if real_rc[r, CHANGES_MS] <= now_ms:
                    advance(
                        r, now_ms, law_rc, limits_rc, real_rc, whole_rc, ends_rn, who_rn, after_i, left_i,
                        arrival_ms_i, prompt_i, output_i, _FOR_EVER, first_ms_i, last_ms_i,
                    )  # fmt: skip
                present = whole_rc[r, PRESENT]
                if real_rc[r, CLOCK_MS] > now_ms:
                    present += whole_rc[r, LEAVING]
                if present < fewest:
                    fewest, chosen = present, r
        advance(
            chosen, now_ms, law_rc, limits_rc, real_rc, whole_rc, ends_rn, who_rn, after_i, left_i,
            arrival_ms_i, prompt_i, output_i, _FOR_EVER, first_ms_i, last_ms_i,
        )  # fmt: skip
        enqueue(chosen, i, now_ms, real_rc, whole_rc, after_i)
    for r in range(replicas):
        advance(
            r, np.inf, law_rc, limits_rc, real_rc, whole_rc, ends_rn, who_rn, after_i, left_i,
            arrival_ms_i, prompt_i, output_i, _FOR_EVER, first_ms_i, last_ms_i,
        )  # fmt: skip


@compiled
def empty(r: int, real_rc: Floats, whole_rc: Ints) -> None:
    """A replica that nobody has been at yet."""
    real_rc[r, :] = 0.0
    whole_rc[r, :] = 0
    real_rc[r, CHANGES_MS] = IDLE
    whole_rc[r, PREFILL] = NOBODY
    whole_rc[r, WAITING] = NOBODY
    whole_rc[r, TAIL] = NOBODY
    whole_rc[r, LAST] = NOBODY


@compiled
def enqueue(r: int, i: int, now_ms: float, real_rc: Floats, whole_rc: Ints, after_i: Ints) -> None:
    """Request `i` comes to a replica that has been advanced to `now_ms`."""
    if whole_rc[r, PRESENT] == 0 and real_rc[r, CLOCK_MS] < now_ms:
        real_rc[r, CLOCK_MS] = now_ms
    whole_rc[r, PRESENT] += 1
    tail = whole_rc[r, TAIL]
    if tail != NOBODY:
        after_i[tail] = i
    whole_rc[r, TAIL] = i
    if whole_rc[r, WAITING] == NOBODY:
        whole_rc[r, WAITING] = i
    # It may be admitted at the next step's start, and that is when the state changes next.
    real_rc[r, CHANGES_MS] = min(real_rc[r, CHANGES_MS], real_rc[r, CLOCK_MS])


@compiled
def advance(
    r: int,
    until_ms: float,
    law_rc: Floats,
    limits_rc: Ints,
    real_rc: Floats,
    whole_rc: Ints,
    ends_rn: Ints,
    who_rn: Ints,
    after_i: Ints,
    left_i: Ints,
    arrival_ms_i: Floats,
    prompt_i: Ints,
    output_i: Ints,
    patience_ms: float,
    first_ms_i: Floats,
    last_ms_i: Floats,
) -> None:
    """Take all steps of one replica that start before `until_ms`.

    A request that is not admitted within `patience_ms` of its arrival is given up: both its moments become infinite.
    """
    alpha, beta, pi, kappa = law_rc[r, 0], law_rc[r, 1], law_rc[r, 2], law_rc[r, 3]
    slots, kv_tokens, chunk = limits_rc[r, 0], limits_rc[r, 1], limits_rc[r, 2]
    clock_ms, resident, reserved = real_rc[r, CLOCK_MS], real_rc[r, RESIDENT], real_rc[r, RESERVED]
    steps, decoding, admitted = whole_rc[r, STEPS], whole_rc[r, DECODING], whole_rc[r, ADMITTED]
    present, leaving = whole_rc[r, PRESENT], whole_rc[r, LEAVING]
    prefill, waiting, last = whole_rc[r, PREFILL], whole_rc[r, WAITING], whole_rc[r, LAST]
    ends_n, who_n = ends_rn[r], who_rn[r]
    while clock_ms < until_ms:
        while waiting != NOBODY and clock_ms - arrival_ms_i[waiting] > patience_ms:
            first_ms_i[waiting], last_ms_i[waiting] = np.inf, np.inf
            present -= 1
            if whole_rc[r, TAIL] == waiting:
                whole_rc[r, TAIL] = last if prefill != NOBODY else NOBODY
            waiting = after_i[waiting]
            if prefill != NOBODY:
                after_i[last] = waiting
        while waiting != NOBODY and admitted < slots:
            tokens = prompt_i[waiting] + output_i[waiting]
            if reserved + tokens > kv_tokens:
                break
            if prefill == NOBODY:
                prefill = waiting
            admitted += 1
            reserved += tokens
            last = waiting
            waiting = after_i[waiting]
        if prefill != NOBODY:
            budget, ready = chunk, prefill
            while prefill != waiting and budget > 0:
                tokens = min(budget, left_i[prefill])
                left_i[prefill] -= tokens
                budget -= tokens
                if left_i[prefill] > 0:
                    break
                prefill = after_i[prefill]
            tokens = chunk - budget
            clock_ms += alpha + beta * decoding + pi * tokens + kappa * resident
            resident += decoding + tokens
            steps += 1
            leaving = 0
            while ready != prefill:
                first_ms_i[ready] = clock_ms
                if output_i[ready] == 1:
                    last_ms_i[ready] = clock_ms
                    admitted -= 1
                    leaving += 1
                    reserved -= prompt_i[ready] + 1
                    resident -= prompt_i[ready]
                else:
                    _push(ends_n, who_n, decoding, steps + output_i[ready] - 1, ready)
                    decoding += 1
                ready = after_i[ready]
            if prefill == waiting:
                prefill = NOBODY
        elif decoding > 0:
            count = ends_n[0] - steps
            step_ms, growth_ms = alpha + beta * decoding + kappa * resident, kappa * decoding
            count = _steps_to_cover(until_ms - clock_ms, step_ms, growth_ms, count)
            clock_ms += count * step_ms + growth_ms * (0.5 * count * (count - 1))
            resident += decoding * count
            steps += count
            leaving = 0
        else:
            leaving = 0
            break
        while decoding > 0 and ends_n[0] == steps:
            done = who_n[0]
            _pop(ends_n, who_n, decoding)
            decoding -= 1
            admitted -= 1
            leaving += 1
            reserved -= prompt_i[done] + output_i[done]
            resident -= prompt_i[done] + output_i[done] - 1
            last_ms_i[done] = clock_ms
        present -= leaving
    real_rc[r, CLOCK_MS], real_rc[r, RESIDENT], real_rc[r, RESERVED] = clock_ms, resident, reserved
    whole_rc[r, STEPS], whole_rc[r, DECODING], whole_rc[r, ADMITTED] = steps, decoding, admitted
    whole_rc[r, PRESENT], whole_rc[r, LEAVING] = present, leaving
    whole_rc[r, PREFILL], whole_rc[r, WAITING], whole_rc[r, LAST] = prefill, waiting, last
    if present == 0:
        # Nobody is linked to any more: the next one starts a new chain.
        whole_rc[r, TAIL] = NOBODY
        real_rc[r, CHANGES_MS] = IDLE
    elif prefill != NOBODY or (waiting != NOBODY and admitted < slots):
        real_rc[r, CHANGES_MS] = clock_ms
    else:
        count = ends_n[0] - steps
        step_ms, growth_ms = alpha + beta * decoding + kappa * resident, kappa * decoding
        # The moment when the last step before a departure starts would do; its end is when the load changes.
        real_rc[r, CHANGES_MS] = clock_ms + count * step_ms + growth_ms * (0.5 * count * (count - 1))


@compiled
def _steps_to_cover(span_ms: float, step_ms: float, growth_ms: float, most: int) -> int:
    """The fewest steps, one at least, whose sum reaches the span: the k-th one takes step + growth (k - 1)."""
    if not span_ms < np.inf:
        return most
    if growth_ms > 0.0:
        half = step_ms / growth_ms - 0.5
        guess = math.sqrt(half * half + 2.0 * span_ms / growth_ms) - half
    else:
        guess = span_ms / step_ms
    count = max(1, int(min(guess, float(most))))
    while count < most and count * step_ms + growth_ms * (0.5 * count * (count - 1)) < span_ms:
        count += 1
    while count > 1 and (count - 1) * step_ms + growth_ms * (0.5 * (count - 1) * (count - 2)) >= span_ms:
        count -= 1
    return count


@compiled
def _push(ends_n: Ints, who_n: Ints, size: int, end: int, who: int) -> None:
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if ends_n[parent] <= end:
            break
        ends_n[place], who_n[place] = ends_n[parent], who_n[parent]
        place = parent
    ends_n[place], who_n[place] = end, who


@compiled
def _pop(ends_n: Ints, who_n: Ints, size: int) -> None:
    last = size - 1
    end, who = ends_n[last], who_n[last]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= last:
            break
        if child + 1 < last and ends_n[child + 1] < ends_n[child]:
            child += 1
        if ends_n[child] >= end:
            break
        ends_n[place], who_n[place] = ends_n[child], who_n[child]
        place = child
    ends_n[place], who_n[place] = end, who
