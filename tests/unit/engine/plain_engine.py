"""A plain, slow engine to check the compiled one against: every step is played, nothing is summed up or remembered.

Written from the description of the engine, not from its code: objects and lists, one replica at a time where routing
does not look at the others' load.
"""

from dataclasses import dataclass, field

from plimsoll.engine.serving import Replica, Requests, Router


@dataclass
class _Request:
    arrival_ms: float
    prompt: int
    output: int
    prefilled: int = 0
    made: int = 0
    first_ms: float = 0.0
    last_ms: float = 0.0


@dataclass
class _Engine:
    replica: Replica
    clock_ms: float = 0.0
    queue: list[_Request] = field(default_factory=list)
    running: list[_Request] = field(default_factory=list)
    left_ms: list[float] = field(default_factory=list)

    def present_at(self, now_ms: float) -> int:
        return len(self.queue) + len(self.running) + sum(left_ms > now_ms for left_ms in self.left_ms)

    def take(self, request: _Request) -> None:
        if not self.queue and not self.running:
            self.clock_ms = max(self.clock_ms, request.arrival_ms)
        self.queue.append(request)

    def run_until(self, until_ms: float) -> None:
        while (self.queue or self.running) and self.clock_ms < until_ms:
            self._admit()
            self._step()

    def _admit(self) -> None:
        while self.queue and len(self.running) < self.replica.max_sequences:
            reserved = sum(one.prompt + one.output for one in (*self.running, self.queue[0]))
            if reserved > self.replica.kv_cache_tokens:
                return
            self.running.append(self.queue.pop(0))

    def _step(self) -> None:
        law = self.replica.step_time
        resident = sum(one.prefilled + max(one.made - 1, 0) for one in self.running)
        decoding = [one for one in self.running if one.made > 0]
        budget, prefilling = self.replica.chunk_tokens, []
        for one in self.running:
            tokens = min(budget, one.prompt - one.prefilled)
            if tokens > 0:
                budget -= tokens
                prefilling.append((one, tokens))
        prefill_tokens = self.replica.chunk_tokens - budget
        self.clock_ms += (
            law.alpha_ms
            + law.beta_ms_per_sequence * len(decoding)
            + law.pi_ms_per_prefill_token * prefill_tokens
            + law.kappa_ms_per_kv_token * resident
        )
        for one in decoding:
            one.made += 1
        for one, tokens in prefilling:
            one.prefilled += tokens
            if one.prefilled == one.prompt:
                one.made, one.first_ms = 1, self.clock_ms
        for one in [one for one in self.running if one.made == one.output]:
            one.last_ms = self.clock_ms
            self.running.remove(one)
            self.left_ms.append(self.clock_ms)


def plainly_served(
    replicas: list[Replica], requests: Requests, router: Router, weights: list[float], draws: list[float]
) -> list[tuple[float, float]]:
    """First and last token of each request, ms."""
    engines = [_Engine(replica) for replica in replicas]
    everyone = []
    credit = [0.0] * len(engines)
    chosen = len(engines) - 1
    for number, (arrival_ms, prompt, output) in enumerate(
        zip(requests.arrival_ms_i, requests.prompt_tokens_i, requests.output_tokens_i, strict=True)
    ):
        request = _Request(float(arrival_ms), int(prompt), int(output))
        for engine in engines:
            engine.run_until(request.arrival_ms)
        if router is Router.ROUND_ROBIN:
            chosen = (chosen + 1) % len(engines)
        elif router is Router.WEIGHTED:
            credit = [have + earned for have, earned in zip(credit, weights, strict=True)]
            chosen = credit.index(max(credit))
            credit[chosen] -= sum(weights)
        elif router is Router.RANDOM:
            reached, chosen = 0.0, 0
            for place, weight in enumerate(weights):
                reached += weight
                if draws[number] * sum(weights) < reached:
                    chosen = place
                    break
        else:
            in_turn = [(chosen + 1 + offset) % len(engines) for offset in range(len(engines))]
            chosen = min(in_turn, key=lambda place: engines[place].present_at(request.arrival_ms))
        engines[chosen].take(request)
        everyone.append(request)
    for engine in engines:
        engine.run_until(float("inf"))
    return [(one.first_ms, one.last_ms) for one in everyone]
