"""What was measured? Three kinds of observation, each a linear equation in the terms of the step-time law.

In: figures that a reader of ``formats`` found. Out: `Equation`s: what was measured (ms), and how often each term is in
it. One engine step takes alpha + beta n + pi p + kappa C (design section 3); a first token also waits for what is
outside the engine's steps (HTTP, tokenising), the fixed overhead.

Letters: I prompt tokens, O output tokens, n decoding sequences, p prefill tokens of a step, C resident KV tokens.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class Term(StrEnum):
    """What a latency is made of, in the order of an equation's counts."""

    ALPHA = "alpha"
    BETA = "beta"
    PI = "pi"
    KAPPA = "kappa"
    OVERHEAD = "overhead"


class Figure(StrEnum):
    """What kind of figure was measured; each kind has its own scatter."""

    STEP = "time per output token"
    PROMPT = "prompt time"
    TTFT = "time to first token"


@dataclass(frozen=True, slots=True)
class Equation:
    """`measured_ms` is the sum of the terms, each as often as `counts` says (in the order of `Term`)."""

    where: str
    """File and line, for messages."""
    figure: Figure
    measured_ms: float
    counts: tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class DecodeStep:
    """One step of a static batch: so many sequences, each with so many tokens in the KV cache."""

    where: str
    step_ms: float
    sequences: float
    context_tokens: float
    """Of one sequence, on average over the steps measured."""

    @property
    def prompt_tokens(self) -> float | None:
        """As far as the context went."""
        return self.context_tokens

    @property
    def output_tokens(self) -> float | None:
        return None

    def equations(self, chunk_tokens: float) -> tuple[Equation, ...]:
        """A step of a static batch has no prefill, whatever the chunk."""
        counts = (1.0, self.sequences, 0.0, self.sequences * self.context_tokens, 0.0)
        return (Equation(self.where, Figure.STEP, self.step_ms, counts),)


@dataclass(frozen=True, slots=True)
class PromptPass:
    """Prompts processed together, with nothing else running."""

    where: str
    total_ms: float
    prompt_tokens: float
    """Of one prompt."""
    prompts: float = 1.0
    chunk_tokens: float | None = None
    """Tokens of one pass where the tool says so (llama-bench: n_ubatch); None: the whole of it is one step."""
    depth_tokens: float = 0.0
    """Tokens in the KV cache before it begins."""

    @property
    def output_tokens(self) -> float | None:
        return None

    def equations(self, chunk_tokens: float) -> tuple[Equation, ...]:
        """All prompt tokens, and one alpha a pass."""
        tokens = self.prompts * self.prompt_tokens
        steps, resident = _passes(tokens, self.chunk_tokens or tokens)
        counts = (steps, 0.0, tokens, resident + steps * self.depth_tokens, 0.0)
        return (Equation(self.where, Figure.PROMPT, self.total_ms, counts),)


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """A steady load: what requests saw at one rate. Latencies are of the typical request: the median where known."""

    where: str
    rate_rps: float
    prompt_tokens: float
    output_tokens: float
    itl_ms: float
    """Time per output token after the first."""
    ttft_ms: float | None = None
    ttft_p95_ms: float | None = None
    itl_p95_ms: float | None = None
    prompt_sd: float = 0.0
    """Standard deviation of the prompts' lengths, tokens."""
    output_sd: float = 0.0
    concurrency: float | None = None
    """Sequences that run, where it was measured or set; else Little's law says."""

    @property
    def running(self) -> float:
        """Decoding sequences, by Little's law: each request decodes for O - 1 steps."""
        if self.concurrency is not None:
            return self.concurrency
        return self.rate_rps / 1000.0 * (self.output_tokens - 1.0) * self.itl_ms

    @property
    def alone(self) -> bool:
        """Whether a request mostly has the replica to itself: a client that sends one after the other, or hardly any
        load. A tenth above one is for rates that are written with two digits."""
        return self.running <= 1.1

    @property
    def context_tokens(self) -> float:
        """Tokens in the KV cache per decoding sequence: E[O (I + O/2)] / E[O]."""
        second_moment = self.output_tokens**2 + self.output_sd**2
        return self.prompt_tokens + second_moment / (2.0 * self.output_tokens)

    def equations(self, chunk_tokens: float) -> tuple[Equation, ...]:
        """A decode step carries its share of the prefill of those who arrive; a first token waits for half of the step
        under way and then takes its own prefill steps."""
        sequences = 1.0 if self.alone else self.running
        resident = sequences * self.context_tokens
        arrivals = 0.0 if self.alone else self.rate_rps / 1000.0 * self.itl_ms  # per decode step
        step = (1.0, sequences, arrivals * self.prompt_tokens, resident, 0.0)
        decode = Equation(self.where, Figure.STEP, self.itl_ms, step)
        if self.ttft_ms is None:
            return (decode,)
        waits = 0.0 if self.alone else 0.5
        # Nobody decodes, and nothing is resident, beside a request that is alone.
        others, resident = (0.0, 0.0) if self.alone else (sequences, resident)
        steps, own_resident = _passes(self.prompt_tokens, chunk_tokens)
        # With more than one arrival a step, all of them share the next step; with fewer, the step under way is rarely
        # one with a prefill.
        under_way = self.prompt_tokens * arrivals * min(1.0, arrivals)
        first = (
            waits + steps,
            (waits + steps) * others,
            waits * under_way + self.prompt_tokens * max(1.0, arrivals),
            (waits + steps) * resident + own_resident,
            1.0,
        )
        return decode, Equation(self.where, Figure.TTFT, self.ttft_ms, first)


def saturated(where: str, rate_rps: float, prompt_tokens: float, output_tokens: float, sequences: float) -> LoadPoint:
    """All of so many slots full, all the time: the speed gives the step."""
    itl_ms = 1000.0 * sequences / (rate_rps * output_tokens)
    return LoadPoint(where, rate_rps, prompt_tokens, output_tokens, itl_ms, concurrency=sequences)


Observation = DecodeStep | PromptPass | LoadPoint


def _passes(tokens: float, chunk_tokens: float) -> tuple[float, float]:
    """Steps that a prefill takes, and the tokens resident at the start of each, summed up."""
    steps = math.ceil(tokens / chunk_tokens)
    return float(steps), chunk_tokens * steps * (steps - 1) / 2.0
