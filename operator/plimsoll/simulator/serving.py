"""Who serves the requests of one deployment, and what does each of them see?

In: its traffic; replicas that start, drain and stop. Out: for every request the moments of its first and last token. A
`Service` holds the state of all engines of a deployment and its router; Python looks at it between slices only.

Times here are ms since the start of the run. Array names end in their axes: i for requests, r for slots of replicas.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import Profile
from plimsoll.engine.arrays import Floats, Ints
from plimsoll.engine.serving import Router, router_code
from plimsoll.simulator.traffic import Traffic

_NOT_YET = np.nan
_FEWEST_SLOTS = 8


@dataclass
class _Engines:
    """State of all slots; grown by doubling."""

    law_rc: Floats
    limits_rc: Ints
    weight_r: Floats
    credit_r: Floats
    real_rc: Floats
    whole_rc: Ints
    ends_rn: Ints
    who_rn: Ints

    @classmethod
    def of(cls, slots: int, most: int) -> "_Engines":
        from plimsoll.engine.batching import REALS, WHOLES

        whole = np.int64
        return cls(
            np.zeros((slots, 4)),
            np.zeros((slots, 3), dtype=whole),
            np.ones(slots),
            np.zeros(slots),
            np.zeros((slots, REALS)),
            np.zeros((slots, WHOLES), dtype=whole),
            np.zeros((slots, most), dtype=whole),
            np.zeros((slots, most), dtype=whole),
        )

    def copied_into(self, larger: "_Engines") -> "_Engines":
        for name, own in vars(self).items():
            vars(larger)[name][: own.shape[0]] = own
        return larger


@dataclass
class Service:
    """One deployment's router and engines."""

    traffic: Traffic
    router: Router
    patience_ms: float
    max_sequences: int
    """Of any replica that may ever start."""
    rng: np.random.Generator
    now_ms: float = 0.0
    next_i: int = 0
    """The first request that has not been routed."""
    live: list[int] = field(default_factory=list)
    """Slots that take requests."""
    _present: list[int] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _last_place: int = -1

    def __post_init__(self) -> None:
        count = self.traffic.count
        self.arrival_ms_i: Floats = self.traffic.arrival_s_i * 1000.0
        self.replica_i: Ints = np.full(count, -1, dtype=np.int64)
        self.first_ms_i: Floats = np.full(count, _NOT_YET)
        self.last_ms_i: Floats = np.full(count, _NOT_YET)
        self._after_i: Ints = np.full(count, -1, dtype=np.int64)
        self._left_i: Ints = self.traffic.prompt_tokens_i.copy()
        self._draw_i: Floats = self.rng.random(count) if self.router is Router.RANDOM else np.zeros(count)
        self._engines = _Engines.of(_FEWEST_SLOTS, self.max_sequences)
        self._free = list(range(_FEWEST_SLOTS - 1, -1, -1))
        self.open_i: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """Requests that were routed and not yet accounted for as done or lost."""
        self._listed = 0

    @property
    def slots(self) -> int:
        return int(self._engines.weight_r.size)

    def start(self, profile: Profile, weight: float) -> int:
        """A slot in which a replica with that (true) profile takes requests from now on."""
        from plimsoll.engine.batching import empty

        if not self._free:
            before = self.slots
            self._engines = self._engines.copied_into(_Engines.of(2 * before, self.max_sequences))
            self._free = list(range(2 * before - 1, before - 1, -1))
        slot, engines, law = self._free.pop(), self._engines, profile.step_time
        engines.law_rc[slot] = (
            law.alpha_ms,
            law.beta_ms_per_sequence,
            law.pi_ms_per_prefill_token,
            law.kappa_ms_per_kv_token,
        )
        engines.limits_rc[slot] = (profile.max_sequences, profile.kv_cache_tokens, profile.chunk_tokens)
        engines.weight_r[slot] = weight
        engines.credit_r[slot] = 0.0
        empty(slot, engines.real_rc, engines.whole_rc)
        self.live.append(slot)
        self._present.append(slot)
        return slot

    def weigh(self, slot: int, weight: float) -> None:
        """From now on the router takes the replica for so much stronger or weaker."""
        self._engines.weight_r[slot] = weight

    def drain(self, slot: int) -> float:
        """No request goes to the replica from now on; returns the moment, ms, when it has finished those it has."""
        self.live.remove(slot)
        # Nobody comes any more, so all that is still to happen in this engine is known now.
        self._play(self.now_ms, np.inf, live=[], present=[slot])
        own_i = self._own(slot)
        ends_ms_i = self.last_ms_i[own_i]
        return float(max(ends_ms_i[np.isfinite(ends_ms_i)].max(initial=0.0), self.now_ms))

    def stop(self, slot: int) -> int:
        """The replica is gone, with what it has not finished; returns how many requests are lost."""
        if slot in self.live:
            self.live.remove(slot)
        own_i = self._own(slot)
        lost_i = own_i[~(self.last_ms_i[own_i] <= self.now_ms)]
        self.first_ms_i[lost_i] = np.inf
        self.last_ms_i[lost_i] = np.inf
        self._present.remove(slot)
        return int(lost_i.size)

    def free(self, slot: int) -> None:
        """The slot of a replica that has been stopped, and of which everything has been told, may be used again."""
        self._free.append(slot)

    def advance(self, until_s: float) -> None:
        """Play on."""
        until_ms = until_s * 1000.0
        if until_ms > self.now_ms:
            self._play(self.now_ms, until_ms, self.live, self._present)
            self.now_ms = until_ms

    def finish(self) -> None:
        """After the last slice: who is being served is served to the end, who still waits at the router never is."""
        self._play(self.now_ms, np.inf, self.live, self._present)
        unserved_i = np.isnan(self.last_ms_i)
        self.first_ms_i[unserved_i] = np.inf
        self.last_ms_i[unserved_i] = np.inf

    def open_requests(self) -> NDArray[np.int64]:
        """Requests that were routed and, by the last look at them, not done."""
        fresh = np.arange(self._listed, self.next_i)
        self._listed = self.next_i
        self.open_i = np.concatenate((self.open_i, fresh))
        return self.open_i

    def queued(self) -> int:
        """Requests at the router that have not gone away."""
        arrived = int(np.searchsorted(self.arrival_ms_i, self.now_ms, side="left"))
        patient = int(np.searchsorted(self.arrival_ms_i, self.now_ms - self.patience_ms, side="left"))
        return max(0, arrived - max(self.next_i, patient))

    def kv_use_ratio(self, slot: int) -> float:
        """Share of the replica's KV cache that holds tokens."""
        from plimsoll.engine.batching import RESIDENT

        return float(self._engines.real_rc[slot, RESIDENT] / self._engines.limits_rc[slot, 1])

    def running_and_waiting(self, slot: int) -> tuple[int, int]:
        """Sequences in the batch and requests in the queue."""
        from plimsoll.engine.batching import ADMITTED, PRESENT

        present, admitted = self._engines.whole_rc[slot, PRESENT], self._engines.whole_rc[slot, ADMITTED]
        return int(admitted), int(present - admitted)

    def _own(self, slot: int) -> NDArray[np.int64]:
        open_i = self.open_requests()
        own_i: NDArray[np.int64] = open_i[self.replica_i[open_i] == slot]
        return own_i

    def _play(self, begin_ms: float, until_ms: float, live: list[int], present: list[int]) -> None:
        from plimsoll.engine.slices import play_slice

        engines = self._engines
        self.next_i, self._last_place = play_slice(
            begin_ms,
            until_ms,
            self.next_i,
            self._last_place,
            np.array(live, dtype=np.int64),
            np.array(present, dtype=np.int64),
            router_code(self.router),
            self.patience_ms,
            engines.law_rc,
            engines.limits_rc,
            engines.weight_r,
            engines.credit_r,
            engines.real_rc,
            engines.whole_rc,
            engines.ends_rn,
            engines.who_rn,
            self._after_i,
            self._left_i,
            self.arrival_ms_i,
            self.traffic.prompt_tokens_i,
            self.traffic.output_tokens_i,
            self._draw_i,
            self.replica_i,
            self.first_ms_i,
            self.last_ms_i,
        )
