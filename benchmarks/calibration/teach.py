"""Teach the surrogate of sizing what the kernel knows: `python benchmarks/calibration/teach.py`, some 15 minutes.

In: random scenarios, played by the kernel. Out: operator/plimsoll/engine/surrogate.json. Run it again when the kernel,
the features or the draws change; benchmarks/sizing.py judges the result on scenarios that were not taught.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from calibration.draws import Scenario, Traffic, draw, normal_of, quantiles_ms
from plimsoll.engine.arrays import Floats
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.surrogate import WEIGHTS_FILE, features

SHARES = (0.5, 0.9, 0.95, 0.99)
POINTS = 12
HIDDEN = (32, 24)
CAUTION = 0.3
"""The quantile of its own error that the network learns: where it cannot know, it underrates."""
SMOOTH = 0.02
EPOCHS, BATCH, FIRST_PACE, DECAY = 120, 512, 3e-3, 1e-5


@dataclass(frozen=True, slots=True)
class Lesson:
    """One scenario at some rates: what its latencies come to there."""

    scenario: Scenario
    rate_p: Floats
    limit_ms_pms: Floats
    """By rate, metric and share."""


def lesson(seed: np.random.SeedSequence, requests: int) -> Lesson:
    """Play one random scenario at rates from 3% to 98% of its capacity."""
    rng = np.random.default_rng(seed)
    traffic = Traffic.of(draw(rng), requests, rng)
    capacity = traffic.capacity_per_ms()
    places_p = (np.arange(POINTS) + rng.random(POINTS)) / POINTS
    rate_p = capacity * (0.03 + 0.95 * places_p)
    limits = np.array([quantiles_ms(traffic.played(rate), SHARES) for rate in rate_p])
    return Lesson(traffic.scenario, rate_p, limits)


def lessons(seed: int, count: int, requests: int, workers: int) -> Iterator[Lesson]:
    seeds = np.random.SeedSequence(seed).spawn(count)
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(lesson, seeds, [requests] * count, chunksize=16)


def rows(taught: list[Lesson], metric: int) -> tuple[Floats, Floats]:
    """Features and answers of one metric, over all lessons, rates and shares."""
    physics = Physics.of(
        [(one.scenario.replica, one.scenario.prompts, one.scenario.outputs) for one in taught for _ in range(POINTS)]
    )
    rate_v = np.concatenate([one.rate_p for one in taught])
    limits_vs = np.concatenate([one.limit_ms_pms[:, metric] for one in taught])
    asked, answers = [], []
    for place, share in enumerate(SHARES):
        normal_v = np.full(rate_v.size, normal_of(share))
        asked.append(features(physics, metric, normal_v, limits_vs[:, place]))
        answers.append(np.log(rate_v / physics.capacity_v))
    return np.concatenate(asked), np.concatenate(answers)


def teach(feature_vf: Floats, answer_v: Floats, seed: int) -> dict[str, object]:
    """A network of two hidden layers by Adam, with a smoothed pinball loss."""
    rng = np.random.default_rng(seed)
    low_f, high_f = feature_vf.min(axis=0), feature_vf.max(axis=0)
    mean_f, spread_f = feature_vf.mean(axis=0), feature_vf.std(axis=0) + 1e-9
    scaled_vf = (feature_vf - mean_f) / spread_f
    sizes = (feature_vf.shape[1], *HIDDEN, 1)
    weights = [rng.normal(0.0, a**-0.5, (a, b)) for a, b in pairwise(sizes)]
    biases = [np.zeros(b) for b in sizes[1:]]
    values = [*weights, *biases]
    momenta, squares = [np.zeros_like(one) for one in values], [np.zeros_like(one) for one in values]
    total = EPOCHS * (answer_v.size // BATCH)
    step = 0
    for _ in range(EPOCHS):
        order = rng.permutation(answer_v.size)
        for start in range(0, answer_v.size - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            slopes = _slopes(weights, biases, scaled_vf[chosen], answer_v[chosen])
            step += 1
            pace = FIRST_PACE * (1.0 - step / total) + 1e-5
            for value, slope, momentum, square in zip(values, slopes, momenta, squares, strict=True):
                momentum[...] = 0.9 * momentum + 0.1 * slope
                square[...] = 0.999 * square + 0.001 * slope**2
                change = (momentum / (1.0 - 0.9**step)) / (np.sqrt(square / (1.0 - 0.999**step)) + 1e-8)
                value[...] = value - pace * change
    return {
        "mean": _short(mean_f),
        "spread": _short(spread_f),
        "low": _short(low_f),
        "high": _short(high_f),
        "layers": [[_short(weight), _short(bias)] for weight, bias in zip(weights, biases, strict=True)],
    }


def _slopes(weights: list[Floats], biases: list[Floats], asked: Floats, answer_v: Floats) -> list[Floats]:
    seen = [asked]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        seen.append(np.tanh(seen[-1] @ weight + bias))
    missed_v = answer_v - (seen[-1] @ weights[-1] + biases[-1])[:, 0]
    near_v = np.clip(missed_v / SMOOTH, -1.0, 1.0)
    slope = (np.where(near_v > 0.0, -CAUTION * near_v, -(1.0 - CAUTION) * near_v) / answer_v.size)[:, None]
    weight_slopes: list[Floats] = []
    bias_slopes: list[Floats] = []
    for layer in range(len(weights) - 1, -1, -1):
        weight_slopes.insert(0, seen[layer].T @ slope + DECAY * weights[layer])
        bias_slopes.insert(0, slope.sum(axis=0))
        slope = (slope @ weights[layer].T) * (1.0 - seen[layer] ** 2) if layer else slope
    return [*weight_slopes, *bias_slopes]


def _short(values: Floats) -> object:
    return np.vectorize(lambda value: float(f"{value:.5g}"))(values).tolist()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=int, default=4000)
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep or reuse what the kernel measured, .npy")
    asked = parser.parse_args()
    started_s = time.perf_counter()
    taught: list[Lesson] = []
    if asked.keep is not None and asked.keep.exists():
        taught = list(np.load(asked.keep, allow_pickle=True))
    else:
        for one in lessons(asked.seed, asked.scenarios, asked.requests, asked.workers):
            taught.append(one)
            if len(taught) % 200 == 0:
                print(f"{len(taught)} scenarios played, {time.perf_counter() - started_s:.0f} s", flush=True)
        if asked.keep is not None:
            np.save(asked.keep, np.array(taught, dtype=object))
    told = {}
    for metric, name in enumerate(METRICS):
        told[name.value] = teach(*rows(taught, metric), asked.seed)
        print(f"taught {name.value}, {time.perf_counter() - started_s:.0f} s", flush=True)
    path = Path(__file__).parents[2] / "operator" / "plimsoll" / "engine" / WEIGHTS_FILE
    about = f"written by benchmarks/calibration/teach.py from {len(taught)} scenarios, seed {asked.seed}"
    path.write_text(json.dumps({"about": about, "networks": told}, separators=(",", ":")) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
