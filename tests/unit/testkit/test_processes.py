"""Do child processes end when they should, not sooner, and say why when they end too soon?"""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from plimsoll_testkit.processes import Process, ProcessFailed, accepts_connections, free_port, wait_until

SLEEPS = "import time; time.sleep(60)"


def a_process(directory: Path, program: str = SLEEPS) -> Process:
    return Process("part", [sys.executable, "-S", "-c", program], directory / "part.log")


def test_dead_process_ends_the_wait_at_once_with_its_last_words(tmp_path: Path) -> None:
    process = a_process(tmp_path, "print('no such flag'); raise SystemExit(7)")
    process.start()

    with pytest.raises(ProcessFailed, match=r"(?s)part ended with code 7 while waiting for it to answer.*no such flag"):
        wait_until(lambda: False, "it to answer", timeout_s=60, processes=[process])


def test_wait_in_vain_tells_how_things_stand_at_its_end() -> None:
    looks: list[str] = []

    def nothing_yet() -> bool:
        looks.append("none")
        return False

    with pytest.raises(ProcessFailed, match=r"in vain for two replicas, ready: none"):
        wait_until(nothing_yet, lambda: f"two replicas, ready: {looks[-1]}", timeout_s=0.0)


def test_wait_in_vain_shows_the_logs_of_those_who_still_run(tmp_path: Path) -> None:
    process = a_process(tmp_path, f"print('thinking', flush=True); {SLEEPS}")
    process.start()
    wait_until(lambda: "thinking" in process.last_words(), "its first words", timeout_s=5)

    with pytest.raises(ProcessFailed, match=r"(?s)waited 0 s in vain for a miracle.*thinking"):
        wait_until(lambda: False, "a miracle", timeout_s=0.1, processes=[process])
    process.kill()


def test_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEPS}"
    process = a_process(tmp_path, stubborn)
    process.start()
    wait_until(lambda: "deaf" in process.last_words(), "it to be deaf", timeout_s=5)

    process.stop(grace_s=0.2)

    assert process.exit_code == -9


def test_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    process = a_process(tmp_path)
    thread = threading.Thread(target=process.start)
    thread.start()
    thread.join()
    # Long enough for the kernel to have killed it, had that thread been its parent.
    time.sleep(0.3)

    assert process.is_running
    process.kill()


def test_process_can_be_started_again_and_keeps_its_log(tmp_path: Path) -> None:
    process = a_process(tmp_path, "print('here')")
    for _ in range(2):
        process.start()
        assert process.wait(timeout_s=5) == 0

    assert process.log_path.read_text() == "here\nhere\n"


def test_starting_what_runs_is_refused(tmp_path: Path) -> None:
    process = a_process(tmp_path)
    process.start()

    with pytest.raises(ProcessFailed, match="part runs already"):
        process.start()
    process.stop()


def test_program_that_does_not_exist_fails_the_wait_by_name(tmp_path: Path) -> None:
    process = Process("etcd", ["/nowhere/etcd"], tmp_path / "etcd.log")
    process.start()

    with pytest.raises(ProcessFailed, match=r"(?s)etcd ended with code 1.*No such file"):
        wait_until(lambda: False, "etcd", timeout_s=5, processes=[process])


def test_stopping_what_never_started_is_no_error(tmp_path: Path) -> None:
    process = a_process(tmp_path)
    process.stop()
    process.kill()

    assert process.exit_code is None


def test_free_port_has_no_listener() -> None:
    assert not accepts_connections(free_port())


def test_port_is_given_to_nobody_else_while_its_finder_lives() -> None:
    port = free_port()
    with pytest.raises(ProcessFailed, match="no free port"):
        free_port(range(port, port + 1))
    program = f"from plimsoll_testkit.processes import free_port; free_port(range({port}, {port + 1}))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "no free port" in other.stderr


def test_port_is_free_again_once_its_finder_has_ended() -> None:
    program = "from plimsoll_testkit.processes import free_port; print(free_port())"
    finder = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    port = int(finder.stdout)
    assert free_port(range(port, port + 1)) == port
