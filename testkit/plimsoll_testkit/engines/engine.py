"""How does one replica serve? Continuous batching, step by step.

In: requests with their arrival times. Out: the same requests with the times of their first and last token. One step
with n decoding sequences, p prefill tokens and C resident KV tokens takes alpha + beta n + pi p + kappa C. A request is
admitted whole, in order of arrival, at the start of a step, where a slot and KV room for all its tokens are free; its
first token comes at the end of that step, and one more with each later step. Written apart from the product's sizing,
so that the two can be compared.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

MAX_PREFILL_TOKENS_PER_STEP = 8192
"""As vLLM's max_num_batched_tokens on large GPUs; a longer prompt is taken alone."""


@dataclass(frozen=True)
class Hardware:
    """One engine on one hardware: the step-time law in ms, and its limits."""

    alpha_ms: float
    beta_ms: float
    pi_ms: float
    kappa_ms: float
    max_sequences: int
    kv_cache_tokens: int


@dataclass(eq=False)
class Request:
    """One request, and what became of it; times are seconds of the simulation's clock."""

    arrival_s: float
    prompt_tokens: int
    output_tokens: int
    first_token_s: float | None = None
    end_s: float | None = None
    retries: int = 0

    @property
    def ttft_s(self) -> float | None:
        return None if self.first_token_s is None else self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> float | None:
        """Mean time per output token after the first; None for a single token."""
        if self.end_s is None or self.first_token_s is None or self.output_tokens < 2:
            return None
        return (self.end_s - self.first_token_s) / (self.output_tokens - 1)


@dataclass
class Engine:
    """One replica. Requests go in by `take`, time goes on by `advance`."""

    hardware: Hardware
    clock_s: float = 0.0
    waiting: deque[Request] = field(default_factory=deque)
    _running: list[tuple[int, int, Request]] = field(default_factory=list)
    """A heap by the step in which each ends."""
    _step: int = 0
    _order: int = 0
    _resident_tokens: int = 0
    _reserved_tokens: int = 0
    _new: list[Request] = field(default_factory=list)
    _step_end_s: float | None = None

    @property
    def running(self) -> int:
        return len(self._running) + len(self._new)

    @property
    def kv_use_ratio(self) -> float:
        return self._reserved_tokens / self.hardware.kv_cache_tokens

    def take(self, request: Request) -> None:
        """Queue a request; its arrival is not before that of any request taken earlier."""
        self.waiting.append(request)

    def advance(self, until_s: float) -> list[Request]:
        """Run all steps that end by then; the requests that ended."""
        ended: list[Request] = []
        while True:
            if self._step_end_s is None and not self._begin_step(until_s):
                self.clock_s = max(self.clock_s, until_s)
                return ended
            assert self._step_end_s is not None
            if self._step_end_s > until_s:
                return ended
            ended += self._end_step()

    def abandon(self) -> list[Request]:
        """The replica is gone: every request it had, as if it had never been served."""
        left = [*self._new, *(request for _, _, request in self._running), *self.waiting]
        self._running, self._new, self._resident_tokens, self._reserved_tokens = [], [], 0, 0
        self.waiting.clear()
        self._step_end_s = None
        for request in left:
            request.first_token_s = None
        return sorted(left, key=lambda request: request.arrival_s)

    def _begin_step(self, until_s: float) -> bool:
        start_s = self.clock_s
        if not self._running:
            if not self.waiting:
                return False
            start_s = max(start_s, self.waiting[0].arrival_s)
        if start_s > until_s:
            return False
        self._admit(start_s)
        law, prefill_tokens = self.hardware, sum(request.prompt_tokens for request in self._new)
        step_ms = (
            law.alpha_ms
            + law.beta_ms * len(self._running)
            + law.pi_ms * prefill_tokens
            + law.kappa_ms * (self._resident_tokens + prefill_tokens)
        )
        self._step_end_s = start_s + step_ms / 1000.0
        return True

    def _admit(self, start_s: float) -> None:
        prefill_tokens = 0
        while self.waiting and self.waiting[0].arrival_s <= start_s:
            request = self.waiting[0]
            needed = request.prompt_tokens + request.output_tokens
            alone = not self._new and not self._running
            fits = (
                self.running < self.hardware.max_sequences
                and self._reserved_tokens + needed <= self.hardware.kv_cache_tokens
                and (prefill_tokens + request.prompt_tokens <= MAX_PREFILL_TOKENS_PER_STEP or not self._new)
            )
            if not fits and not alone:
                return
            self.waiting.popleft()
            self._new.append(request)
            self._reserved_tokens += needed
            prefill_tokens += request.prompt_tokens

    def _end_step(self) -> list[Request]:
        assert self._step_end_s is not None
        self.clock_s, self._step_end_s = self._step_end_s, None
        self._step += 1
        self._resident_tokens += len(self._running)
        for request in self._new:
            request.first_token_s = self.clock_s
            self._resident_tokens += request.prompt_tokens + 1
            self._order += 1
            heapq.heappush(self._running, (self._step + request.output_tokens - 1, self._order, request))
        self._new = []
        ended = []
        while self._running and self._running[0][0] <= self._step:
            request = heapq.heappop(self._running)[2]
            request.end_s = self.clock_s
            self._resident_tokens -= request.prompt_tokens + request.output_tokens
            self._reserved_tokens -= request.prompt_tokens + request.output_tokens
            ended.append(request)
        return ended
