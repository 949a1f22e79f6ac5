"""Do the commands that talk to a cluster tell and change the right thing, as a person types them?"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner

from integration.world import LITTLE_RPS, MUCH_RPS, UP_WITHIN_S, World
from plimsoll.cli import app
from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.control_plane import ControlPlane

PLIMSOLL = Path(sys.executable).with_name("plimsoll")


def plimsoll(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """In a pipe, and in this process: a start takes two seconds of a processor."""
    told = CliRunner(env={"NO_COLOR": "1"}).invoke(app, arguments)
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return subprocess.CompletedProcess(arguments, told.exit_code, told.stdout, told.stderr)


def typed(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The installed command, in a pipe: it also turns a mistake into one sentence."""
    return subprocess.run([PLIMSOLL, *arguments], capture_output=True, text=True, timeout=180, check=False)


def test_explain_tells_where_it_runs_what_it_costs_and_what_lost(world: World, control_plane: ControlPlane) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.condition("Ready").get("status") == "True", "chat to be Ready", UP_WITHIN_S)
    told = plimsoll("explain", "chat", *where(world, control_plane))
    assert told.returncode == 0, told.stderr
    assert "Ready True" in told.stdout
    assert "cost       $" in told.stdout
    assert "proven lower bound" in told.stdout
    assert "not taken" in told.stdout
    assert "\x1b[" not in told.stdout
    as_json = plimsoll("explain", "chat", "-o", "json", *where(world, control_plane))
    assert json.loads(as_json.stdout)["targetReplicas"] >= 1


def test_what_if_decides_on_what_the_operator_sees(world: World, control_plane: ControlPlane) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    question = ("explain", "chat", "--quick", *where(world, control_plane))
    told = plimsoll(*question, "--if", f"rate={LITTLE_RPS}", "-o", "json")
    assert told.returncode == 0, told.stderr
    (chat,) = json.loads(told.stdout)["deployments"]
    assert chat["before"]["replicas"]["gpu"] >= 1
    # What the paid CPU pool carries costs nothing more.
    assert chat["after"]["replicas"]["gpu"] == 0
    assert (chat["after"]["usdPerHour"], chat["after"]["sloKept"]) == (0.0, True)
    turns = plimsoll(*question, "--turning-points")
    assert turns.returncode == 0, turns.stderr
    assert "demand: at " in turns.stdout
    wrong = typed(*question, "--if", "pool.nowhere.price=1")
    assert wrong.returncode == 2
    assert "no pool has that name" in wrong.stderr


def test_explain_of_a_deployment_nobody_planned_says_so_and_ends_with_1(
    world: World, control_plane: ControlPlane
) -> None:
    world.add_model()
    told = plimsoll("explain", "chat", *where(world, control_plane))
    assert told.returncode == 1
    assert "no status yet" in told.stdout


def test_status_and_top_tell_the_fleet_in_a_pipe(world: World, control_plane: ControlPlane) -> None:
    world.add_model()
    world.add_model("idle", mode="Paused")
    before = plimsoll("status", *where(world, control_plane))
    assert before.returncode == 1
    assert "not planned" in before.stdout
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.condition("Ready").get("status") == "True", "chat to be Ready", UP_WITHIN_S)
    told = plimsoll("status", *where(world, control_plane))
    assert "2 models" in told.stdout, told.stderr
    assert f"{world.gpu} " in told.stdout
    live = typed("top", *where(world, control_plane))
    assert live.returncode == 0, live.stderr
    assert "2 models" in live.stdout
    as_json = json.loads(plimsoll("status", "-o", "json", *where(world, control_plane)).stdout)
    [chat] = [one for one in as_json["deployments"] if one["name"] == "chat"]
    assert chat["well"] is True
    assert chat["arrivalRate"] == MUCH_RPS


def test_kubectl_takes_it_for_a_plugin(world: World, control_plane: ControlPlane) -> None:
    world.add_model()
    kubectl = ensure(["kubectl"])["kubectl"]
    # Whoever types it has both on the path, and names no file: kubectl's own cluster is ours.
    environment = {**os.environ, "PATH": str(PLIMSOLL.parent), "KUBECONFIG": str(control_plane.kubeconfig)}
    plugins: list[str | Path] = [kubectl, "plugin", "list"]
    listed = subprocess.run(plugins, capture_output=True, text=True, env=environment, check=True)
    assert str(PLIMSOLL.with_name("kubectl-plimsoll")) in listed.stdout
    command: list[str | Path] = [kubectl, "plimsoll", "status", "-n", world.namespace, "-o", "json"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    # Nobody has planned it yet: the exit code comes through as well.
    assert told.returncode == 1, told.stderr
    assert [one["name"] for one in json.loads(told.stdout)["deployments"]] == ["chat"]


def test_top_keeps_the_fleet_on_a_terminal_until_ctrl_c(world: World, control_plane: ControlPlane) -> None:
    world.add_model()
    command = ["top", "--every", "1", *where(world, control_plane)]
    with on_a_terminal(command) as screen:
        assert "1 model, 1 not well" in screen.until("chat")
        world.add_model("later")
        # Nobody has touched a key.
        screen.until("2 models, 2 not well")
        assert screen.interrupted() == 0
    assert "Traceback" not in screen.seen


class Screen:
    """A command on a terminal of 80 columns; what it has written there so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self._process, self._terminal = process, terminal
        self.seen = ""

    def until(self, text: str) -> str:
        """All that was to be seen up to that."""
        deadline_s = time.monotonic() + UP_WITHIN_S
        while text not in self.seen and time.monotonic() < deadline_s:
            if select.select([self._terminal], [], [], 0.2)[0]:
                self.seen += os.read(self._terminal, 65536).decode()
        assert text in self.seen
        return self.seen

    def interrupted(self) -> int:
        """The exit code after Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=UP_WITHIN_S)


@contextmanager
def on_a_terminal(arguments: list[str]) -> Iterator[Screen]:
    seen, shown = os.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen([PLIMSOLL, *arguments], stdin=shown, stdout=shown, stderr=shown, env=environment)
    os.close(shown)
    try:
        yield Screen(process, seen)
    finally:
        process.kill()
        process.wait()
        os.close(seen)


def test_pause_and_resume_set_the_mode_and_warn_of_git(world: World, control_plane: ControlPlane) -> None:
    world.add_model()
    paused = plimsoll("pause", "chat", *where(world, control_plane))
    assert paused.returncode == 0, paused.stderr
    assert "Git" in paused.stdout
    assert world.model()["spec"]["mode"] == "Paused"
    resumed = plimsoll("resume", "chat", *where(world, control_plane))
    assert resumed.returncode == 0, resumed.stderr
    assert world.model()["spec"]["mode"] == "Auto"


def test_a_name_that_is_not_there_is_one_sentence_and_2(control_plane: ControlPlane, namespace: str) -> None:
    told = typed("explain", "nobody", "-n", namespace, "--kubeconfig", str(control_plane.kubeconfig))
    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr.startswith("plimsoll: ")
    assert "Traceback" not in told.stderr


def test_a_kubeconfig_that_is_not_there_is_named_in_one_sentence_and_2(tmp_path: Path) -> None:
    told = typed("explain", "chat", "--kubeconfig", str(tmp_path / "no-such-file"))
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert "no-such-file" in told.stderr


def where(world: World, control_plane: ControlPlane) -> tuple[str, ...]:
    return "-n", world.namespace, "--kubeconfig", str(control_plane.kubeconfig)
