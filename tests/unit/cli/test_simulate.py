"""Does `plimsoll simulate` keep what is done, whatever ends it, and refuse at once what cannot come to anything?"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from plimsoll.cli import app
from plimsoll.cli.simulate_history import span_s
from plimsoll.domain import ObjectKey
from plimsoll.errors import InvalidObject, MetricsUnavailable
from plimsoll.simulator import runs
from plimsoll.simulator.demand import history
from plimsoll.simulator.result import RunResult
from plimsoll.simulator.runs import Done, Job
from unit.simulator.folders import a_folder

CHAT = ObjectKey("team-a", "chat")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small").mkdir()
    return a_folder(tmp_path / "small", seeds=[1, 2], hours=0.1)


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def refusal(*arguments: object) -> str:
    result = simulate(*arguments)
    assert isinstance(result.exception, InvalidObject), result.output
    return str(result.exception)


Found = Callable[[Job], Done]


def a_run(job: Job, usd: float = 12.0, attained: float = 0.99, requests: int = 100) -> RunResult:
    return RunResult(job.scenario.name, job.policy, job.seed, 0.1, usd, 0.0, requests, 0, attained, 1e6)


def simple(job: Job) -> Done:
    return Done(a_run(job), bound_usd=8.0 if job.may_miss is not None else None)


def played(
    monkeypatch: pytest.MonkeyPatch, found: Found = simple, ending: BaseException | None = None, after: int = 0
) -> list[Job]:
    """Runs that take no time; after so many something may end them."""
    asked: list[Job] = []

    def results(made: Sequence[Job], *_: Any) -> Iterator[Done]:
        asked.extend(made)
        for number, job in enumerate(made):
            if ending is not None and number == after:
                raise ending
            yield found(job)

    monkeypatch.setattr(runs, "results", results)
    return asked


# --- What is done is kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "code"), [(KeyboardInterrupt(), 130), (InvalidObject("a trace is broken"), 1), (OSError("disk"), 1)]
)
def test_whatever_ends_the_runs_what_is_done_is_written(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, ending: BaseException, code: int
) -> None:
    played(monkeypatch, ending=ending, after=1)
    file = tmp_path / "out.json"
    result = simulate(folder, "--json", file)
    assert result.exit_code == code
    assert json.loads(file.read_text())["scenarios"]["small"]["policies"]["plimsoll"]["seeds"] == [1]
    assert "ended early: 1 of 2 runs are done, they are told and written" in result.stderr
    assert "12.00" in result.stdout


def test_where_nothing_is_done_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    played(monkeypatch, ending=KeyboardInterrupt())
    file, page = tmp_path / "out.json", tmp_path / "page.html"
    file.write_text("of yesterday")
    result = simulate(folder, "--json", file, "--report", page)
    assert result.exit_code == 130
    assert "0 of 2 runs are done, nothing is written" in result.stderr
    assert file.read_text() == "of yesterday"
    assert not page.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--json", "{}"], "--json {} is a folder: name a file in it"),
        (["--report", "{}/no/page.html"], "there is no folder {}/no: make it first"),
        (["--json", "{}/one", "--report", "{}/one"], "--json and --report are both {}/one: name two files"),
        (["--answers", "{}"], "--answers {} is a folder"),
        (["--policies", "hpa=0"], "a target is more than 0"),
        (["--since", "7d"], "--since 7d says how far back --prometheus looks, which is not there"),
        (["--prometheus", "localhost:9090"], "--prometheus localhost:9090 is no address: write one such as http://"),
        (["{}/nowhere"], "there is no folder {}/nowhere"),
    ],
)
def test_what_cannot_come_to_anything_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    asked = played(monkeypatch)
    assert told.format(tmp_path) in refusal(folder, *(one.format(tmp_path) for one in options))
    assert not asked


# --- The table -------------------------------------------------------------------------------------------------------


def test_the_bound_is_computed_where_it_is_quick_and_shown(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    played(monkeypatch)
    file = tmp_path / "out.json"
    result = simulate(folder, "--policies", "plimsoll, hpa", "--json", file)
    assert json.loads(file.read_text())["scenarios"]["small"]["bound_usd"] == 8.0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["plimsoll", "12.00", "0.00", "1.50", "12.0000", "99.00%", "0", "0"] in rows
    assert [row[3] for row in rows if row[:1] == ["hpa"]] == ["1.50"]


def test_without_a_bound_its_column_is_empty(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = played(monkeypatch)
    result = simulate(folder, "--no-bound")
    assert [job.may_miss for job in asked] == [None, None]
    assert "plimsoll 12.00 0.00 - 12.0000" in " ".join(result.stdout.split())


def test_a_cost_is_told_in_no_multiple_of_nothing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    played(monkeypatch, lambda job: Done(a_run(job), bound_usd=1e-6))
    assert "plimsoll 12.00 0.00 - 12.0000" in " ".join(simulate(folder).stdout.split())


def test_a_large_scenario_says_that_its_bound_was_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    played(monkeypatch)
    result = simulate(a_folder(tmp_path, hours=500.0, seeds=[1]))
    assert "is large: the least that must be paid is not computed, --bound does it" in result.stderr


def test_shares_are_cut_off_and_not_rounded(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    played(monkeypatch, lambda job: Done(a_run(job, attained=0.999968)))
    result = simulate(folder)
    assert "99.99%" in result.stdout
    assert "100.00%" not in result.stdout


def test_the_worst_model_has_a_column_where_there_is_more_than_one(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def two_models(job: Job) -> Done:
        return Done(replace(a_run(job), by_model={CHAT: 0.999, ObjectKey("team-a", "tags"): 0.61237}))

    played(monkeypatch, two_models)
    told = simulate(folder, "--policies", "plimsoll", "--no-bound").output
    assert "worst model" in told
    assert "61.23%" in told

    played(monkeypatch, lambda job: Done(replace(two_models(job).run, requests=0)))
    assert "61.23%" not in simulate(folder, "--policies", "plimsoll", "--no-bound").output

    played(monkeypatch)
    assert "worst model" not in simulate(folder, "--policies", "plimsoll", "--no-bound").output


def test_where_nobody_asks_no_share_is_told(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    played(monkeypatch, lambda job: Done(a_run(job, attained=1.0, requests=0)))
    result = simulate(folder)
    assert "100.00%" not in result.stdout
    assert "small: nobody asked for anything, check its demand" in result.stderr


def test_a_sweep_plays_every_target_and_marks_the_cheapest_that_keeps_the_goal(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    figures = {"hpa": (5.0, 0.9), "hpa=0.6": (7.0, 0.995), "hpa=0.5": (8.0, 1.0), "kpa=0.5": (4.0, 0.8)}
    asked = played(monkeypatch, lambda job: Done(a_run(job, *figures.get(job.policy, (20.0, 1.0)))))
    result = simulate(folder, "--policies", "plimsoll,hpa,kpa=0.5", "--sweep", "--seeds", "1")
    labels = [job.policy for job in asked]
    assert labels[:2] == ["plimsoll", "hpa"]
    assert {"hpa=0.6", "hpa=0.5", "hpa=0.3"} < set(labels)
    assert [label for label in labels if label.startswith("kpa")] == ["kpa=0.5"]
    assert [line.split()[0] for line in result.stdout.splitlines() if line.split()[1:2] == ["*"]] == [
        "plimsoll",
        "hpa=0.6",
    ]
    assert "* cheapest setting of its policy that keeps 99% within the SLO" in result.stdout


# --- Demand from Prometheus ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "seconds"), [(None, 7 * 86400.0), ("7d", 7 * 86400.0), ("12h", 43200.0), ("90m", 5400.0)]
)
def test_how_far_back_is_a_duration_or_days(since: str | None, seconds: float) -> None:
    assert span_s("http://127.0.0.1:9090", since) == seconds


@pytest.mark.parametrize(
    ("since", "told"), [("a week", "cannot be read"), ("4m", "too short"), ("0d", "too short"), ("32d", "31d or less")]
)
def test_a_past_that_cannot_be_read_is_refused(since: str, told: str) -> None:
    with pytest.raises(InvalidObject, match=f"--since {since}.*{told}"):
        span_s("http://127.0.0.1:9090", since)


def known(monkeypatch: pytest.MonkeyPatch, found: history.Histories) -> None:
    def read(settings: object, asked: object, begin_s: float, steps: int, watch: Callable[[int], None]) -> Any:
        for step in range(steps):
            watch(step)
        return found

    monkeypatch.setattr(history, "read", read)


def test_what_prometheus_does_not_know_is_taken_from_the_scenario_or_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    asked = played(monkeypatch)
    one = history.History((2.0,), (None,), 300.0, 1.0)
    other = ObjectKey("team-a", "other")
    known(monkeypatch, history.Histories({ObjectKey("team-a", "third"): one}, {CHAT: "no series", other: "no pods"}))
    result = simulate(folder, "--prometheus", "http://127.0.0.1:9090")
    assert f"{CHAT}: Prometheus does not know its demand, it is taken from scenario.yaml (no series)" in result.stderr
    assert f"{other}: Prometheus does not know its demand, it counts as none (no pods)" in result.stderr
    assert list(asked[0].histories) == [ObjectKey("team-a", "third")]
    assert 5 <= result.stderr.count("reading http://127.0.0.1:9090: ") <= 12
    assert "2016 of 2016" in result.stderr


def test_where_prometheus_knows_nothing_at_all_nothing_runs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = played(monkeypatch)
    known(monkeypatch, history.Histories({}, {CHAT: "no series"}))
    assert "team-a/chat: no series" in refusal(folder, "--prometheus", "http://127.0.0.1:9090")
    assert not asked


def test_a_prometheus_that_refuses_connections_is_told_at_once(folder: Path) -> None:
    result = simulate(folder, "--prometheus", "http://127.0.0.1:1")
    assert isinstance(result.exception, MetricsUnavailable)
    assert "http://127.0.0.1:1 cannot be reached" in str(result.exception)
    assert "Nothing was simulated" in str(result.exception)


def test_a_bound_that_a_run_undercuts_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    played(monkeypatch, lambda job: Done(a_run(job, usd=7.0, attained=0.995), bound_usd=8.0))
    assert "the bound is none here" in simulate(folder).stdout
    played(monkeypatch, lambda job: Done(a_run(job, usd=7.0, attained=0.9), bound_usd=8.0))
    assert "the bound is none here" not in simulate(folder).stdout
