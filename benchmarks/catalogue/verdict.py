"""Where does a CPU win, and where does it not? Read off the offers, never written by hand.

In: offers. Out: for each size of model and SLO the cheapest GPU and CPU, and the sentences that follow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalogue.costs import SLOS, Offer, Slo, break_even_usd_per_hour, cheapest

SIZES = (("1B", 1e9, 2e9), ("3B", 3e9, 4e9), ("8B", 7e9, 9e9), ("70B", 60e9, 80e9))
"""Sizes that both GPUs and CPUs of the catalogue serve, by parameters."""


@dataclass(frozen=True, slots=True)
class Duel:
    """The cheapest GPU against the cheapest CPU at list price, for models of one size under one SLO."""

    size: str
    slo: Slo
    gpu: Offer | None
    cpu: Offer | None
    smallest_gpu: Offer | None
    """By the price of one replica, however slow."""
    smallest_cpu: Offer | None
    best_paid_cpu: Offer | None
    """The fastest, whatever it costs: nodes already paid for cost nothing more."""

    @property
    def ratio(self) -> float | None:
        """CPU over GPU, per output token."""
        if self.gpu is None or self.cpu is None:
            return None
        cpu = self.cpu.per_million_output(self.cpu.list_usd_per_hour)
        gpu = self.gpu.per_million_output(self.gpu.list_usd_per_hour)
        assert cpu is not None, "the cheapest has a price"
        assert gpu is not None, "the cheapest has a price"
        return cpu / gpu

    @property
    def break_even_usd_per_hour(self) -> float | None:
        """What the CPU replica might cost to be as cheap per token."""
        return None if self.gpu is None or self.cpu is None else break_even_usd_per_hour(self.cpu, self.gpu)

    @property
    def wins_for_little_traffic(self) -> bool:
        """Whether the cheapest CPU replica costs less than the cheapest GPU that can serve at all."""
        if self.smallest_cpu is None or self.smallest_gpu is None:
            return self.smallest_cpu is not None
        return _price(self.smallest_cpu) < _price(self.smallest_gpu)


def duels(found: Sequence[Offer]) -> tuple[Duel, ...]:
    """One for each size and SLO."""
    return tuple(
        _duel(size, slo, [one for one in found if one.slo is slo and _is_of(one, low, high)])
        for size, low, high in SIZES
        for slo in SLOS
    )


def _is_of(offer: Offer, low: float, high: float) -> bool:
    return low <= offer.entry.source.build.model.parameters < high


def _duel(size: str, slo: Slo, found: Sequence[Offer]) -> Duel:
    able = [one for one in found if one.safe_rate_rps > 0.0]
    gpus = [one for one in able if one.entry.source.build.machine.is_gpu]
    cpus = [one for one in able if not one.entry.source.build.machine.is_gpu]
    return Duel(size, slo, cheapest(gpus), cheapest(cpus), _smallest(gpus), _smallest(cpus), _fastest(cpus))


def _smallest(found: Sequence[Offer]) -> Offer | None:
    priced = [one for one in found if one.list_usd_per_hour is not None]
    return min(priced, key=lambda one: (_price(one), -one.safe_rate_rps, one.entry.name), default=None)


def _fastest(found: Sequence[Offer]) -> Offer | None:
    return max(found, key=lambda one: (one.safe_rate_rps, one.entry.name), default=None)


def _price(offer: Offer) -> float:
    assert offer.list_usd_per_hour is not None, "only offers with a price are asked"
    return offer.list_usd_per_hour


def sentences(found: Sequence[Duel], paid_share: float, spot_shares: Sequence[str]) -> Iterator[str]:
    """What follows, with figures.

    Args:
        found: all duels.
        paid_share: amortised over list price.
        spot_shares: spot over list price where there are samples of CPU nodes, in words.
    """
    fought = [(one.ratio, one) for one in found if one.ratio is not None]
    lost = sorted((ratio, f"{one.size}, {one.slo.name}") for ratio, one in fought if ratio > 1.0)
    won = [f"{one.size}, {one.slo.name}" for ratio, one in fought if ratio <= 1.0]
    if lost:
        yield (
            f"**At list price and full load a CPU loses in {len(lost)} of {len(fought)} cases** that it can serve at"
            f" all: a token costs {lost[0][0]:.0f} times ({lost[0][1]}) to {lost[-1][0]:.0f} times ({lost[-1][1]}) what"
            " it costs on the cheapest GPU."
        )
    if won:
        yield f"**At list price and full load a CPU wins** for: {'; '.join(won)}."
    missing = [f"{one.size}, {one.slo.name}" for one in found if one.cpu is None and one.gpu is not None]
    if missing:
        yield f"**No CPU with a list price keeps the SLO** for: {'; '.join(missing)}."
    yield from _little_traffic(found)
    yield from _paid(found, paid_share)
    yield from _discount(found, spot_shares)


def _little_traffic(found: Sequence[Duel]) -> Iterator[str]:
    for one in found:
        if not one.wins_for_little_traffic or one.smallest_cpu is None:
            continue
        cpu = one.smallest_cpu
        against = (
            f"the cheapest GPU that keeps it costs ${_price(one.smallest_gpu):.2f}"
            if one.smallest_gpu is not None
            else "no GPU with a price keeps it"
        )
        yield (
            f"**Little traffic, {one.size}, {one.slo.name}:** a CPU replica ({cpu.entry.name}) costs"
            f" ${_price(cpu):.2f} an hour and takes {cpu.safe_rate_rps:.2g} requests/s; {against}. Below that rate the"
            " CPU is cheaper, since a GPU is not divided."
        )


def _paid(found: Sequence[Duel], paid_share: float) -> Iterator[str]:
    rates = [
        f"{one.size} {one.slo.name} {one.best_paid_cpu.safe_rate_rps:.2g}/s"
        f" ({one.best_paid_cpu.entry.source.build.machine.name})"
        for one in found
        if one.best_paid_cpu is not None
    ]
    still = sum(one.ratio * paid_share > 1.0 for one in found if one.ratio is not None)
    fought = sum(one.ratio is not None for one in found)
    yield (
        "**On nodes already paid for a CPU wins wherever it keeps the SLO**, against any GPU that is not: its next"
        f" token costs nothing. The most that one replica takes: {', '.join(rates)}. To buy CPUs for it is another"
        f" matter: at {paid_share:.0%} of list they still lose {still} of {fought} cases to a GPU at list."
    )


def _discount(found: Sequence[Duel], spot_shares: Sequence[str]) -> Iterator[str]:
    shares = [
        (one.break_even_usd_per_hour / _price(one.cpu), f"{one.size}, {one.slo.name}")
        for one in found
        if one.cpu is not None and one.break_even_usd_per_hour is not None
    ]
    if shares:
        share, where = max(shares)
        yield (
            f"**Spot:** to draw level at full load a CPU must cost at most {share:.1%} of its list price in the best"
            f" case ({where}). No CPU of the catalogue has a spot sample; other CPU nodes were at these shares of list:"
            f" {', '.join(spot_shares)}."
        )
