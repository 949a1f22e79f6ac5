"""How does a child process start, tell its last words, and surely end?

In: a command. Out: a ``Process`` that can be stopped, killed and asked for its log. A child is a session of its own, so
Ctrl-C in a terminal reaches only the parent, which ends its children in order; and on Linux the kernel kills it when
the parent is gone, however that came about. Waiting is done with ``wait_until``, which gives up at once when a process
it depends on has died.
"""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

LOG_LINES_SHOWN = 25
STOP_GRACE_S = 5.0
POLL_S = 0.05

# Below the range from which Linux takes ports for outgoing connections, so no client of ours can take one between the
# moment it is found free and the moment the server binds it.
PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""
PORT_RANGE = range(20000, 32000)
PORTS_TRIED = 200

# Asks for the parent's death signal, then becomes the command: no wrapper stays, and no code runs between fork and exec
# of a parent that has threads. Should the parent have died before the request, nobody would ever tell: hence the check.
_DIES_WITH_PARENT = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ProcessFailed(Exception):
    """A process died or did not do in time what was waited for; the message ends with its last log lines."""


@dataclass
class Process:
    """One child process whose output goes to a file."""

    name: str
    command: Sequence[str | Path]
    log_path: Path
    environment: Mapping[str, str] | None = None
    """All of the child's environment; None hands on this process's own."""
    _child: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ProcessFailed(f"{self.name} has not been started")
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it was started; negative is the signal that ended it."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Starts, or starts again; the log is appended to."""
        if self.is_running:
            raise ProcessFailed(f"{self.name} runs already (pid {self.pid})")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        command = [str(word) for word in self.command]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _DIES_WITH_PARENT, str(os.getpid()), *command]
        self._child = _LAUNCHER.launch(command, self.log_path, self.environment)

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Ended afterwards: asked with SIGTERM, killed when it takes longer than the grace."""
        if self._child is None:
            return
        if self.is_running:
            self._child.terminate()
        try:
            self._child.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ended afterwards with SIGKILL, as a crash would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def wait(self, timeout_s: float) -> int:
        """The exit code, once it has ended by itself.

        Raises:
            ProcessFailed: it still runs after ``timeout_s``.
        """
        if self._child is None:
            raise ProcessFailed(f"{self.name} has not been started")
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(f"{self.name} still runs after {timeout_s:.0f} s.\n{self.last_words()}") from None

    def last_words(self) -> str:
        """The end of the log, for an error message."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        tail = "\n".join(text.splitlines()[-LOG_LINES_SHOWN:]) or "(it wrote nothing)"
        return f"Last lines of {self.log_path.name}:\n{tail}"


def wait_until(
    condition: Callable[[], bool],
    what: str | Callable[[], str],
    timeout_s: float,
    processes: Iterable[Process] = (),
    poll_s: float = POLL_S,
) -> None:
    """Returns as soon as ``condition`` holds.

    Args:
        condition: asked again and again.
        what: is waited for; a function tells it as it stands when waiting has failed.
        timeout_s: how long.
        processes: without which there is nothing to wait for.
        poll_s: between two questions.

    Raises:
        ProcessFailed: a process died meanwhile, or the time is over.
    """
    watched = list(processes)
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        for process in watched:
            if process.exit_code is not None:
                ended = f"{process.name} ended with code {process.exit_code}"
                raise ProcessFailed(f"{ended} while waiting for {_told(what)}. {process.last_words()}")
        if time.monotonic() > deadline_s:
            logs = "".join(f"\n{process.last_words()}" for process in watched)
            raise ProcessFailed(f"waited {timeout_s:.0f} s in vain for {_told(what)}.{logs}")
        time.sleep(poll_s)


def _told(what: str | Callable[[], str]) -> str:
    return what if isinstance(what, str) else what()


def stop_all(processes: Sequence[Process], grace_s: float = STOP_GRACE_S) -> None:
    """All ended afterwards, in the order given; a failure to end one does not spare the others."""
    with contextlib.ExitStack() as stack:
        for process in reversed(processes):
            stack.callback(process.stop, grace_s)


def die_with_parent() -> None:
    """This process is killed as soon as the one that started it is gone; on Linux only, elsewhere nothing changes.

    Call it from the main thread, while the parent lives.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def exits_on_sigterm() -> Iterator[None]:
    """SIGTERM becomes SystemExit, which unwinds the ``with`` blocks; left alone where someone else handles it."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(signal_number: int, frame: FrameType | None) -> None:
    sys.exit(128 + signal_number)


def free_port(ports: range = PORT_RANGE) -> int:
    """A loopback port that nothing listens on, and that nobody else is given while this process lives.

    Seconds may pass before a server listens on it, and other processes look for ports as well. The reservation is the
    UDP port of the same number, which nothing here talks over: the kernel gives it up however this process ends.
    """
    for port in random.SystemRandom().sample(ports, min(len(ports), PORTS_TRIED)):
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as reservation:
            reservation.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            reservation.detach()  # Open to the end of this process.
            return port
    raise ProcessFailed(f"no free port in {ports.start}-{ports.stop} on 127.0.0.1: end what listens there")


def accepts_connections(port: int) -> bool:
    """Something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _Launcher:
    """Forks every child from one thread that lives as long as this process.

    The kernel takes the death of the *thread* that forked for the parent's death, so a child started from a thread that
    ends would be killed right then.
    """

    def __init__(self) -> None:
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def launch(
        self, command: list[str], log_path: Path, environment: Mapping[str, str] | None
    ) -> "subprocess.Popen[bytes]":
        done: Future[subprocess.Popen[bytes]] = Future()

        def fork() -> None:
            try:
                with log_path.open("ab") as log:
                    done.set_result(
                        subprocess.Popen(
                            command,
                            stdin=subprocess.DEVNULL,
                            stdout=log,
                            stderr=log,
                            env=environment,
                            start_new_session=True,
                        )
                    )
            except OSError as error:
                done.set_exception(error)

        with self._start_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="process-launcher", daemon=True)
                self._thread.start()
        self._orders.put(fork)
        return done.result()

    def _serve(self) -> None:
        while True:
            self._orders.get()()


_LAUNCHER = _Launcher()
