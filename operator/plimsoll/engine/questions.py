"""What is asked about many replicas at once: how much does each take before a latency passes its limit?

In: replicas, token mixes and latency limits as arrays. Out: simple physics of them all: capacity, unloaded latencies,
the rate at which mean latencies reach a limit. These bracket the answer and are what ``surrogate`` corrects.

Array names end in their axes: v for questions. Latencies are ms, rates requests per ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import LatencyMetric
from plimsoll.engine.arrays import Floats
from plimsoll.engine.serving import Replica
from plimsoll.engine.workload import Lengths

METRICS = (LatencyMetric.TTFT, LatencyMetric.TPOT, LatencyMetric.E2E)
"""A metric's place here is its code in arrays."""

_HALVINGS = 30
_LOWEST_LOAD = 1e-4
_LEAST_RATIO = 1e-7
"""Of alpha: terms of the law that are 0 are taken as this, so that their logarithms exist; it changes no answer."""


@dataclass(frozen=True, slots=True)
class Mixes:
    """Prompt and output lengths, log-normal with an end, as `Lengths` has them."""

    prompt_v: Floats
    """Means."""
    prompt_uncut_v: Floats
    """Means before the end is cut off."""
    prompt_sigma_v: Floats
    """Of the logarithms, before the end is cut off."""
    prompt_spread_v: Floats
    """The sigmas of log-normal lengths without an end that vary as much."""
    prompt_end_v: Floats
    output_v: Floats
    output_uncut_v: Floats
    output_sigma_v: Floats
    output_spread_v: Floats
    output_end_v: Floats

    @property
    def prompt_cv2_v(self) -> Floats:
        return np.expm1(self.prompt_spread_v**2)

    @property
    def output_cv2_v(self) -> Floats:
        return np.expm1(self.output_spread_v**2)

    @property
    def later_tokens_v(self) -> Floats:
        """Mean output tokens after the first, above 0."""
        return np.maximum(self.output_v - 1.0, 0.25)

    def prompt_at(self, normal_v: Floats) -> Floats:
        uncut_v = self.prompt_uncut_v * np.exp(self.prompt_sigma_v * normal_v - self.prompt_sigma_v**2 / 2.0)
        return np.minimum(uncut_v, self.prompt_end_v)

    def output_at(self, normal_v: Floats) -> Floats:
        uncut_v = self.output_uncut_v * np.exp(self.output_sigma_v * normal_v - self.output_sigma_v**2 / 2.0)
        return np.minimum(uncut_v, self.output_end_v)


@dataclass(frozen=True, slots=True)
class Physics:
    """Replicas under their mixes, one entry a question.

    With prompt I, output O, s = E[O] - 1 and c the mean tokens resident for a decoding sequence:

        d(n) = alpha + b n                     a step with n decoding sequences, b = beta + kappa c
        N = min(max sequences, KV / E_O[I+O])  the sequences that run at once
        capacity = N / ((s + E[ceil(I/B)]) d(N) + N pi E[I])
    """

    alpha_v: Floats
    b_v: Floats
    pi_v: Floats
    kappa_v: Floats
    context_v: Floats
    """c: mean tokens resident for each decoding sequence."""
    chunk_v: Floats
    slots_v: Floats
    """N, a real number, at least 1."""
    kv_room_v: Floats
    """KV cache over what all sequences that may run would take; below 1 the cache binds."""
    mixes: Mixes

    @classmethod
    def of(cls, rows: Sequence[tuple[Replica, Lengths, Lengths]]) -> "Physics":
        """One question a row: a replica, the prompts and the outputs it serves."""
        laws = np.array(
            [
                (
                    one.step_time.alpha_ms,
                    one.step_time.beta_ms_per_sequence,
                    one.step_time.pi_ms_per_prefill_token,
                    one.step_time.kappa_ms_per_kv_token,
                    one.max_sequences,
                    one.kv_cache_tokens,
                    one.chunk_tokens,
                    *(prompt.mean, prompt.uncut_mean, prompt.sigma, prompt.spread, prompt.end),
                    *(output.mean, output.uncut_mean, output.sigma, output.spread, output.end),
                )
                for one, prompt, output in rows
            ],
            dtype=np.float64,
        )
        alpha_v, beta_v, pi_v, kappa_v, sequences_v, kv_v, chunk_v = laws[:, :7].T
        beta_v, pi_v = np.maximum(beta_v, _LEAST_RATIO * alpha_v), np.maximum(pi_v, _LEAST_RATIO * alpha_v)
        mixes = Mixes(*laws[:, 7:].T)
        output_second_moment_v = mixes.output_v**2 * (1.0 + mixes.output_cv2_v)
        context_v = mixes.prompt_v + np.maximum(
            (output_second_moment_v - mixes.output_v) / (2.0 * mixes.later_tokens_v), 0.5
        )
        resident_v = mixes.prompt_v + output_second_moment_v / mixes.output_v
        return cls(
            alpha_v=alpha_v,
            b_v=beta_v + kappa_v * context_v,
            pi_v=pi_v,
            kappa_v=kappa_v,
            context_v=context_v,
            chunk_v=chunk_v,
            slots_v=np.maximum(np.minimum(sequences_v, kv_v / resident_v), 1.0),
            kv_room_v=kv_v / (resident_v * sequences_v),
            mixes=mixes,
        )

    def where(self, chosen_v: NDArray[np.bool_]) -> "Physics":
        """Those questions only."""
        mixes = Mixes(*(getattr(self.mixes, one.name)[chosen_v] for one in fields(Mixes)))
        own = {one.name: getattr(self, one.name)[chosen_v] for one in fields(self) if one.name != "mixes"}
        return Physics(**own, mixes=mixes)

    def step_ms(self, running_v: Floats) -> Floats:
        """d(n)."""
        return self.alpha_v + self.b_v * running_v

    @property
    def capacity_v(self) -> Floats:
        """Completions per ms with every slot taken: where any queue grows without end."""
        chunks_v = 0.5 + np.maximum(self.mixes.prompt_v / self.chunk_v, 0.5)
        steps_ms_v = (self.mixes.later_tokens_v + chunks_v) * self.step_ms(self.slots_v)
        return self.slots_v / (steps_ms_v + self.slots_v * self.pi_v * self.mixes.prompt_v)

    def unloaded_ms(self, metric_v: NDArray[np.int64], normal_v: Floats) -> Floats:
        """What a lone request sees, at the quantile that belongs to `normal_v` of the standard normal distribution.

        The end-to-end latency is a sum of two independent parts, first token and later tokens: its quantile lies off
        its mean by the hypotenuse of what theirs lie off their means (exact for normal parts, and where one rules).
        """
        first_ms_v, later_ms_v = self.first_token_ms(self.mixes.prompt_at(normal_v)), self.later_ms(normal_v)
        spread_v = np.hypot(
            self.mixes.prompt_v * np.sqrt(self.mixes.prompt_cv2_v),
            self.mixes.output_v * np.sqrt(self.mixes.output_cv2_v) / 2.0,
        )
        tpot_v = self.step_ms(np.ones_like(normal_v)) + self.kappa_v * np.maximum(spread_v * normal_v, -self.context_v)
        mean_first_ms_v = self.first_token_ms(self.mixes.prompt_v)
        mean_later_ms_v = np.maximum(self.mixes.output_v - 1.0, 0.0) * self.step_ms(np.ones_like(normal_v))
        first_off_v, later_off_v = first_ms_v - mean_first_ms_v, later_ms_v - mean_later_ms_v
        squares_v = first_off_v * np.abs(first_off_v) + later_off_v * np.abs(later_off_v)
        off_v = np.sign(squares_v) * np.sqrt(np.abs(squares_v))
        return np.choose(metric_v, (first_ms_v, tpot_v, mean_first_ms_v + mean_later_ms_v + off_v))

    def later_ms(self, normal_v: Floats) -> Floats:
        """The steps of a lone request after its first token, by the quantile of its output."""
        return np.maximum(self.mixes.output_at(normal_v) - 1.0, 0.0) * self.step_ms(np.ones_like(normal_v))

    def first_token_ms(self, prompt_v: Floats) -> Floats:
        """A lone prefill: its chunks one after the other, each over the cache that those before it filled."""
        chunks_v = np.ceil(prompt_v / self.chunk_v)
        earlier_v = self.chunk_v * chunks_v * (chunks_v - 1.0) / 2.0
        return chunks_v * self.alpha_v + self.pi_v * prompt_v + self.kappa_v * earlier_v

    def mean_field_v(self, tpot_ms_v: Floats) -> Floats:
        """The rate per ms at which the mean time per output token reaches a limit, by a processor-sharing mean.

        With rp = rate pi E[I], r = rate s b / (1 - rp) and n = (alpha/b + 1) r / (1 - r) sequences on average, a token
        takes d(n + 1) / (1 - rp). Never above the capacity, and never below a ten-thousandth of it.
        """
        low_v, high_v = _LOWEST_LOAD * self.capacity_v, self.capacity_v
        prefill_v, decode_v = self.pi_v * self.mixes.prompt_v, self.mixes.later_tokens_v * self.b_v
        for _ in range(_HALVINGS):
            rate_v = np.sqrt(low_v * high_v)
            free_v = np.maximum(1.0 - rate_v * prefill_v, 1e-9)
            share_v = np.minimum(rate_v * decode_v / free_v, 1.0 - 1e-9)
            running_v = (self.alpha_v / self.b_v + 1.0) * share_v / (1.0 - share_v)
            meets_v = self.step_ms(running_v + 1.0) / free_v <= tpot_ms_v
            low_v, high_v = np.where(meets_v, rate_v, low_v), np.where(meets_v, high_v, rate_v)
        return low_v
