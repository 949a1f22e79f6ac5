"""The demo as a newcomer starts it, much shorter: it tells what it saw, and ends everything that it started.

Whether work moves both ways within the SLOs needs the whole play, which is `make demo` itself.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLAY_S = 30
STARTS_WITHIN_S = 90.0
"""Ten seconds on an idle machine; a guess that leaves room for a busy one."""


def the_demo(directory: Path, *options: str) -> "subprocess.Popen[str]":
    """The demo in a pipe; what it keeps for a while lies in that directory."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "plimsoll_testkit.demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(directory)},
    )


def processes_that_mention(directory: Path) -> list[str]:
    """Command lines of running processes that use something in that directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):  # It ended while we looked.
            continue
        if str(directory) in command:
            found.append(command)
    return found


def test_a_short_play_serves_within_the_slo_and_writes_every_figure(
    control_plane: object, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("d")
    with the_demo(scratch, f"--seconds={PLAY_S}", f"--json={tmp_path / 'summary.json'}") as demo:
        output, _ = demo.communicate(timeout=STARTS_WITHIN_S + 3 * PLAY_S)
    assert demo.returncode in {0, 1}, output
    # Too short to show everything, and then it says so: the exit code and the reasons agree.
    assert (demo.returncode == 1) == ("NOT SHOWN:" in output), output
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["requests"] > 0
    assert 0.0 < summary["slo_attainment"] <= 1.0
    assert summary["scale_ups"] > 0
    assert summary["ticks"] >= PLAY_S // 4, "a tick every two seconds, half of them lost at most"
    assert summary["api_writes"] >= summary["scale_ups"]
    assert summary["usd_per_million_tokens"] > 0.0
    assert list(scratch.iterdir()) == []


def test_an_interrupted_play_leaves_nothing_behind(
    control_plane: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("d")
    with the_demo(scratch) as demo:
        assert demo.stdout is not None
        told = []
        for line in demo.stdout:
            told.append(line)
            if "traffic begins" in line:
                break
        assert processes_that_mention(scratch), told
        time.sleep(5.0)
        demo.send_signal(signal.SIGINT)
        told.append(demo.communicate(timeout=30.0)[0])
    assert demo.returncode == 130, told
    assert "everything that was started is ended" in told[-1]
    assert processes_that_mention(scratch) == []
    assert list(scratch.iterdir()) == []
