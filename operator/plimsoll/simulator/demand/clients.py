"""Clients with their own rates, bursts and lengths: which requests come of all of them together?

In: two files a name: per client and ten minutes rate, pattern and its shape (column p1); per client and six hours the
quantiles of its token lengths (ServeGen). Out: `Traffic`. A client's intervals have the pattern and shape of each of
its windows, scaled to that window's rate.

Recorded and drawn burstiness differ where the pattern is Weibull: ServeGen fitted the shape to all intervals, and the
longest of them are longer than a Weibull of that shape has. The CV of the fit is 0.80 of the recorded one in the middle
of all windows, and below 0.7 of it in windows with 30% of these requests (0.84 and 32% in deepseek-r1); what is drawn
has 0.96 of the fit's. The fit is kept: it describes most intervals, the recorded CV the few longest. Gamma's shape is
that of the recorded CV.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from plimsoll.engine.arrays import Floats, Ints
from plimsoll.errors import InvalidObject
from plimsoll.simulator.demand.rate import arrivals_s
from plimsoll.simulator.demand.table import Table, read_table
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sources import ArrivalPattern, ClientsSource
from plimsoll.simulator.traffic import Traffic

WINDOW_S = 600.0
_QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
_NAMES = ("p5", "p25", "p50", "p75", "p90", "p95", "p99")
_RATE_COLUMNS = ("client", "t_s", "rate_rps", "pattern", "p1")
_LENGTH_COLUMNS = ("client", "t_s", *(f"{side}_{name}" for side in ("in", "out") for name in _NAMES))


@dataclass(frozen=True, slots=True)
class Client:
    """One client over the whole file; windows in which it asks nothing are absent."""

    begin_s_k: Floats
    rate_rps_k: Floats
    patterns_k: tuple[ArrivalPattern, ...]
    shape_k: Floats
    lengths_at_s_q: Floats
    """Since when each row of quantiles holds."""
    prompt_quantiles_q: Floats
    output_quantiles_q: Floats


def draw(scenario: Scenario, source: ClientsSource, rng: np.random.Generator) -> Traffic:
    """What the chosen clients ask from `begin` on, again from the file's start where it ends."""
    clients = read(*map(scenario.file, source.files))
    if not clients:
        raise InvalidObject(f"{source.file} has no client with both rates and lengths: are its two files of one kind?")
    chosen = source.clients or tuple(sorted(clients))
    unknown = [number for number in chosen if number not in clients]
    if unknown:
        raise InvalidObject(f"{source.file} has no client {unknown[0]} with rates and lengths: it has {len(clients)}")
    length_s = max(float(one.begin_s_k[-1]) for one in clients.values()) + WINDOW_S
    return Traffic.merged(
        _asked(clients[number], source, scenario.duration_s, length_s, rng) for number in sorted(set(chosen))
    )


def _asked(
    client: Client, source: ClientsSource, duration_s: float, length_s: float, rng: np.random.Generator
) -> Traffic:
    begin_s = source.begin.seconds % length_s
    parts = []
    for turn in range(int((begin_s + duration_s) // length_s) + 1):
        for k in range(client.begin_s_k.size):
            at_s = float(client.begin_s_k[k]) + turn * length_s - begin_s
            if at_s + WINDOW_S <= 0.0 or at_s >= duration_s:
                continue
            rate_rps_k = np.array([client.rate_rps_k[k] * source.scale])
            own_s_i = at_s + arrivals_s(rate_rps_k, WINDOW_S, client.patterns_k[k], float(client.shape_k[k]), rng)
            own_s_i = own_s_i[(own_s_i >= 0.0) & (own_s_i < duration_s)]
            q = max(0, int(np.searchsorted(client.lengths_at_s_q, client.begin_s_k[k], side="right")) - 1)
            parts.append(
                Traffic(
                    own_s_i,
                    _drawn(client.prompt_quantiles_q[q], own_s_i.size, rng),
                    _drawn(client.output_quantiles_q[q], own_s_i.size, rng),
                )
            )
    return Traffic.merged(parts)


def _drawn(quantiles: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Lengths by quantile, straight between the logarithms of those that are known, and flat beyond the outermost."""
    logs_i = np.interp(rng.random(count), _QUANTILES, np.log(np.maximum(quantiles, 1.0)))
    return np.maximum(np.rint(np.exp(logs_i)), 1.0).astype(np.int64)


@lru_cache(maxsize=4)
def read(rates: Path, quantiles: Path) -> Mapping[int, Client]:
    """All clients of which both rates and lengths are known.

    Raises:
        InvalidObject: a file cannot be read.
    """
    by_client: dict[int, list[tuple[float, float, str, float]]] = {}
    by_lengths: dict[int, list[tuple[float, ...]]] = {}
    asked, lengths = read_table(rates, _RATE_COLUMNS), read_table(quantiles, _LENGTH_COLUMNS)
    shapes = asked.numbers("p1", empty=1.0)
    for row, (client, t_s, rate_rps) in enumerate(_columns(asked, "client", "t_s", "rate_rps")):
        if rate_rps > 0.0:
            if shapes[row] <= 0.0:
                raise asked.mistake(row, "p1", "the shape of its intervals, more than 0")
            own = (t_s, rate_rps, asked.columns["pattern"][row] or "Poisson", float(shapes[row]))
            by_client.setdefault(int(client), []).append(own)
    for client, *others in _columns(lengths, *_LENGTH_COLUMNS):
        by_lengths.setdefault(int(client), []).append(tuple(others))
    return {number: _client(own, by_lengths[number]) for number, own in by_client.items() if number in by_lengths}


def _columns(table: Table, *names: str) -> Iterator[tuple[float, ...]]:
    """Row by row; a rate that is empty is one of 0."""
    columns = (table.numbers(name, empty=0.0 if name == "rate_rps" else None).tolist() for name in names)
    return zip(*columns, strict=True)


def _client(rates: list[tuple[float, float, str, float]], lengths: list[tuple[float, ...]]) -> Client:
    rates, table = sorted(rates), np.array(sorted(lengths))
    known = {pattern.value: pattern for pattern in ArrivalPattern}
    return Client(
        begin_s_k=np.array([row[0] for row in rates]),
        rate_rps_k=np.array([row[1] for row in rates]),
        patterns_k=tuple(known.get(row[2], ArrivalPattern.POISSON) for row in rates),
        shape_k=np.array([row[3] for row in rates]),
        lengths_at_s_q=table[:, 0],
        prompt_quantiles_q=table[:, 1 : 1 + len(_NAMES)],
        output_quantiles_q=table[:, 1 + len(_NAMES) :],
    )
