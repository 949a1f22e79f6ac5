"""What exactly has to be decided, and what is any answer worth to a deployment?

In: nothing. Out: the types `Choice`, `Need` and `Problem`: the one statement of bounds, prices, rates and room that the
integer programme, the greedy fallback, the packing proof and the list of alternatives all read. `Need` tells what
any counts of replicas carry together and what they cost. `statement` writes one from a snapshot. Design section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll.domain import (
    CapacityTable,
    ObjectKey,
    Reason,
    Routing,
    VariantKey,
    carried_rps,
)
from plimsoll.planning.room import Room, Shape, dominant_share

PAID_MOVE_RATIO = 1e-3
"""Share of the amortised price that a move into a paid pool counts with. Guess: enough to break ties, never more."""

CHANGE_RATIO = 0.02
"""Share of what a deployment's last plan costs that another plan must save before it is taken. Guess: more than prices
and safe rates tremble by, less than anybody would move for by hand."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One column of the problem: how many replicas of one variant, between `lower` and `upper`."""

    key: VariantKey
    pool: str
    capacity: CapacityTable
    """Of this variant alone, behind the router that the deployment has."""
    rate_rps: float
    """What the solver counts for each replica: by the table at as many as carry the need alone, which is the most that
    any of them carries in a plan, so that its bound is valid. Lowered to the count of a plan that falls short."""
    shape: Shape
    lower: int
    upper: int
    current: int
    stays: Reason | None
    """Why its `lower` replicas run whatever is decided here (pinned, paused, held); they yield to nobody."""
    seats: tuple[str, ...]
    """The present nodes that its pods sit on, one entry a pod."""
    slot_usd_per_hour: float
    """Price of the share of a node that one replica takes; 0 in a paid pool."""
    list_usd_per_hour: float
    """The same at the pool's listed or amortised price."""
    lead_s: float
    move_usd_per_hour: float
    """The overlap and start-up risk that one more replica costs, spread over the dwell in which a plan is expected to
    stand."""
    planned: int
    """Replicas in the last plan; what runs where there was none."""
    change_usd_per_hour: float
    """What one replica more than `planned` counts with, so that a plan stays where another is hardly cheaper."""

    @property
    def charges(self) -> tuple[tuple[int, float], ...]:
        """Counts of replicas, and what each replica beyond such a count costs for being new."""
        return (self.current, self.move_usd_per_hour), (self.planned, self.change_usd_per_hour)

    def total_rps(self, replicas: int) -> float:
        return self.capacity.total_rps(replicas) if self.rate_rps > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """One deployment: the rate it asks for, the choices that may carry it, and what any counts of them are worth.

    Counts are replicas by variant; a variant that they do not name has none.
    """

    key: ObjectKey
    priority: int
    required_rps: float
    """What the forecast asks for."""
    target_rps: float
    """What is planned for: at least one replica where demand is blind at zero, at most what all choices together do,
    unless an external API takes the rest."""
    least_own_rps: float
    """Of this, what own replicas must carry although an external API could: one of them where demand is blind at
    zero. 0 where there is no such API."""
    protected_rps: float
    """What must be left when any one spot pool is lost; 0 where the policy tolerates the loss."""
    budget_usd_per_hour: float | None
    keeps_one: bool
    dwell_s: float
    """For how long its plan is expected to stand."""
    choices: tuple[Choice, ...]
    routing: Routing
    api_usd_per_hour_per_rps: float | None
    """What one request per second costs at the external API; None where requests do not overflow to one."""

    def own_rps(self, counts: Mapping[VariantKey, int]) -> float:
        """What replicas carry together within the SLO, as the router shares requests out among them."""
        return carried_rps(self.routing, ((c.capacity, counts.get(c.key, 0)) for c in self.choices if c.rate_rps > 0))

    def api_rps(self, counts: Mapping[VariantKey, int]) -> float:
        """What overflows to the external API, if requests do: all that is expected and own replicas do not carry."""
        if self.api_usd_per_hour_per_rps is None:
            return 0.0
        return max(0.0, self.required_rps - self.own_rps(counts))

    def api_usd_per_hour(self, counts: Mapping[VariantKey, int]) -> float:
        return self.api_rps(counts) * (self.api_usd_per_hour_per_rps or 0.0)

    def missed_share(self, counts: Mapping[VariantKey, int]) -> float:
        """The share of what is planned for that nothing carries, from 0 to 1; what an API takes is carried."""
        own_rps, api_rps = self.own_rps(counts), self.api_rps(counts)
        in_all = 1.0 - (own_rps + api_rps) / self.target_rps if self.target_rps > 0 else 0.0
        of_own = 1.0 - own_rps / self.least_own_rps if self.least_own_rps > 0 else 0.0
        return max(0.0, in_all, of_own)

    def slots_usd_per_hour(self, counts: Mapping[VariantKey, int]) -> float:
        """The price of the shares of nodes that replicas take, the empty rest of those nodes left out."""
        return sum(choice.slot_usd_per_hour * counts.get(choice.key, 0) for choice in self.choices)

    def changes_usd_per_hour(self, counts: Mapping[VariantKey, int]) -> float:
        """What moving to these counts counts with on top, spread over the dwell in which they are to stand."""
        return sum(
            usd_per_hour * max(0, counts.get(choice.key, 0) - count)
            for choice in self.choices
            for count, usd_per_hour in choice.charges
        )

    def usd_per_hour(self, counts: Mapping[VariantKey, int]) -> float:
        """All that these counts cost but the empty rest of nodes: slots, the external API, and the change."""
        return self.slots_usd_per_hour(counts) + self.api_usd_per_hour(counts) + self.changes_usd_per_hour(counts)


@dataclass(frozen=True, slots=True)
class Problem:
    """All needs, in order of key, and the rooms by pool name."""

    needs: tuple[Need, ...]
    rooms: Mapping[str, Room]

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(choice for need in self.needs for choice in need.choices)

    @property
    def usd_per_unit(self) -> float:
        """The dearest node's price, the unit in which the programme counts; 1 where nothing costs anything."""
        return max((room.list_usd_per_hour for room in self.rooms.values()), default=0.0) or 1.0

    def choices_in(self, pool: str) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.choices if choice.pool == pool)


def relative_size(choice: Choice, room: Room) -> float:
    """The share of a fresh node that one replica takes of its scarcest resource, 0 to 1."""
    return dominant_share(choice.shape, room.node)
