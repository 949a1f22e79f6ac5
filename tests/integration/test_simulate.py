"""`plimsoll simulate` end to end: the shipped decision on a small scenario, in processes, on Dask, and interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest
from distributed import Client, LocalCluster
from typer.testing import CliRunner

from plimsoll.cli import app
from plimsoll.errors import InvalidObject
from plimsoll.simulator.runs import do, jobs, results
from unit.simulator.folders import a_folder, a_scenario


def test_figures_are_told_and_written(tmp_path: Path) -> None:
    folder, file = a_folder(tmp_path, hours=0.1), tmp_path / "out.json"
    result = CliRunner().invoke(app, ["simulate", str(folder), "--seeds", "2", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert "plimsoll" in result.stdout
    told = json.loads(file.read_text())["scenarios"][folder.name]["policies"]["plimsoll"]
    # One node at 12 USD/h: the smallest that can serve, and the planner keeps to it.
    assert told["usd"] == pytest.approx(1.2)
    assert told["seeds"] == [1, 2]


def test_a_file_without_a_folder_is_refused_before_anything_runs(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, hours=0.1)
    result = CliRunner().invoke(app, ["simulate", str(folder), "--report", str(tmp_path / "nowhere" / "out.html")])
    assert isinstance(result.exception, InvalidObject)
    assert "there is no folder" in str(result.exception)


def test_a_dask_cluster_gives_what_this_process_gives(tmp_path: Path) -> None:
    made = jobs([a_scenario(tmp_path, hours=0.1, seeds=[1, 2])])
    here = {
        (one.policy, one.seed): (one.usd, one.slo_attainment, one.moves) for one in (done.run for done in map(do, made))
    }
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster),  # type: ignore[no-untyped-call]
        joblib.parallel_config("dask"),
    ):
        there = {
            (one.policy, one.seed): (one.usd, one.slo_attainment, one.moves)
            for one in (done.run for done in results(made))
        }
    assert there == here


@pytest.mark.parametrize(("sent", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_ctrl_c_and_the_end_of_a_pod_keep_what_is_done(tmp_path: Path, sent: signal.Signals, workers: int) -> None:
    folder, file = a_folder(tmp_path, hours=0.05, seeds=list(range(1, 2000))), tmp_path / "out.json"
    command = [sys.executable, "-c", "from plimsoll.cli import main; main()", "simulate", str(folder)]
    command += ["--jobs", str(workers), "--json", str(file)]
    told = tmp_path / "told"
    with told.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=dict(os.environ), start_new_session=True)
        try:
            deadline_s = time.monotonic() + 240.0
            while "seed 1" not in told.read_text() and time.monotonic() < deadline_s and process.poll() is None:
                time.sleep(0.5)
            process.send_signal(sent)
            assert process.wait(timeout=120.0) == 130, told.read_text()
        finally:
            if process.poll() is None:
                process.kill()
    assert json.loads(file.read_text())["scenarios"][folder.name]["policies"]["plimsoll"]["seeds"][0] == 1
