"""Which setting of a baseline is compared: the cheapest that keeps the SLO over all seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plimsoll.simulator.result import RunResult
from plimsoll.simulator.sweep import settings
from scenario_folders.runs import swept

SEEDS = (1, 2, 3)


@dataclass
class Player:
    """Costs what it is told to, and keeps the SLO with the seeds it is told."""

    usd: Mapping[str, float]
    keeps: Mapping[str, Sequence[int]]
    asked: list[tuple[str, int]] = field(default_factory=list)

    def play(self, labels: Sequence[str], seeds: Sequence[int]) -> Mapping[str, Sequence[RunResult]]:
        self.asked += [(label, seed) for label in labels for seed in seeds]
        return {label: [self._run(label, seed) for seed in seeds] for label in labels}

    def _run(self, label: str, seed: int) -> RunResult:
        attained = 1.0 if seed in self.keeps.get(label, ()) else 0.9
        return RunResult("s", label, seed, 1.0, self.usd.get(label, 50.0), 0.0, 100, 0, attained, 1e6)


def test_where_the_mean_misses_the_next_cheapest_setting_is_played() -> None:
    player = Player(
        {"hpa": 5.0, "hpa=0.7": 6.0, "hpa=0.6": 7.0, "hpa=0.5": 8.0},
        {"hpa=0.7": (1,), "hpa=0.6": (1, 2, 3), "hpa=0.5": (1, 2, 3)},
    )
    runs, best = swept(["hpa"], 0.99, SEEDS, player.play)
    assert best == {"hpa": "hpa=0.6"}
    assert [run.seed for run in runs["hpa=0.6"]] == [1, 2, 3]
    assert ("hpa=0.7", 3) in player.asked
    # What is dearer than one that keeps it is played no further.
    assert ("hpa=0.5", 2) not in player.asked


def test_a_baseline_that_keeps_it_as_it_comes_is_compared_as_it_comes() -> None:
    player = Player({"hpa": 5.0}, {"hpa": SEEDS})
    runs, best = swept(["hpa"], 0.99, SEEDS, player.play)
    assert best == {"hpa": "hpa"}
    assert set(runs) == {"hpa"}


def test_where_no_setting_keeps_it_on_the_first_seed_the_nearest_is_compared() -> None:
    player = Player({"static": 5.0}, {})
    runs, best = swept(["static"], 0.99, SEEDS, player.play)
    assert set(runs) == {"static", best["static"]}
    assert all(len(played) == 3 for played in runs.values())
    assert {label for label, _ in player.asked} == set(settings("static"))


def test_with_one_seed_the_first_is_all() -> None:
    player = Player({"hpa=0.6": 6.0}, {"hpa=0.6": (1,)})
    runs, best = swept(["hpa"], 0.99, (1,), player.play)
    assert best == {"hpa": "hpa=0.6"}
    assert len(runs["hpa=0.6"]) == 1
