"""How is one pinned Go package built into the cache, exactly once, whoever else is building?

In: what to build and the path it must have. Out: a complete, executable file at that path, or ``BuildFailed`` with what
to do. One build at a time for a cache (a file lock: two would only share the cores), so a second process waits, says
so, and then finds the result. An interrupted build leaves no file at the target, and Go's own build cache lets the next
attempt go on from where this one stopped.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOCK_POLL_S = 0.2
OUTPUT_LINES_SHOWN = 25


class BuildFailed(Exception):
    """The build did not succeed."""


class GoTooOld(Exception):
    """The ``go`` at hand is older than a module needs, and could not fetch a newer one; in Go's own words."""


@dataclass(frozen=True)
class GoBuild:
    """One package to build."""

    name: str
    title: str
    """What the progress line calls it, with its place in the queue and its version."""
    module_directory: Path
    package: str
    linker_flags: str
    tags: tuple[str, ...]
    expected_s: float


def find_go(environment: Mapping[str, str]) -> str | None:
    """The ``go`` command on the environment's PATH."""
    return shutil.which("go", path=environment.get("PATH", os.defpath))


def go_needed(module_directory: Path) -> str:
    """The oldest Go that the module's go.mod takes, such as ``1.26.7``; a go.mod without one takes any, as ``0``."""
    words = (line.split() for line in (module_directory / "go.mod").read_text().splitlines())
    return next((line[1] for line in words if len(line) == 2 and line[0] == "go"), "0")


def most_demanding(module_directories: Iterable[Path]) -> Path:
    """The module that needs the newest Go."""
    return max(module_directories, key=lambda module: [int(part) for part in go_needed(module).split(".")])


def check_go(go: str, module_directory: Path, environment: Mapping[str, str]) -> None:
    """``go`` takes the module, if need be after fetching the toolchain that go.mod names.

    Go from 1.21 on does that by itself, unless GOTOOLCHAIN is ``local`` (as some distributions and images set it) or
    the module proxy is out of reach. Reading the module's name is enough for it to decide, and compiles nothing.

    Raises:
        GoTooOld: it does not.
    """
    asked = subprocess.run(
        [go, "list", "-m"],
        cwd=module_directory,
        env=_go_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        raise GoTooOld(_tail(asked.stdout))


def build_into(target: Path, build: GoBuild, go: str, lock_path: Path, environment: Mapping[str, str]) -> None:
    """The binary is at ``target`` afterwards, built by this process or by another that was quicker.

    Raises:
        BuildFailed: the build exited non-zero.
    """
    with _one_builder(lock_path, build):
        if target.is_file():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(f".{build.name}.*.partial"):
            leftover.unlink()
        partial = target.parent / f".{build.name}.{os.getpid()}.partial"
        _tell(f"{build.title}: building, ~{_duration(build.expected_s)} ... ")
        started_s = time.monotonic()
        _run_go(go, build, partial, environment)
        partial.replace(target)
        _tell(f"done in {_duration(time.monotonic() - started_s)}\n")


@contextlib.contextmanager
def _one_builder(lock_path: Path, build: GoBuild) -> Iterator[None]:
    """Hold the cache's lock; the kernel gives it up for us however this process ends."""
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("a+") as lock:
        if not _try_lock(lock):
            lock.seek(0)
            builder = lock.read().strip() or "not known by its pid"
            place = lock_path.parent
            _tell(f"{build.title}: another process ({builder}) is building into {place}, waiting for it\n")
            while not _try_lock(lock):
                time.sleep(LOCK_POLL_S)
        lock.seek(0)
        lock.truncate()
        lock.write(f"pid {os.getpid()}")
        lock.flush()
        yield


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run_go(go: str, build: GoBuild, output: Path, environment: Mapping[str, str]) -> None:
    command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", build.linker_flags, "-o", str(output)]
    if build.tags:
        command += ["-tags", ",".join(build.tags)]
    process = subprocess.Popen(
        [*command, build.package],
        cwd=build.module_directory,
        env=_go_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        # Ctrl-C must not leave a compiler behind that still heats both cores; what it has compiled stays in Go's cache.
        process.terminate()
        process.wait()
        output.unlink(missing_ok=True)
        _tell("interrupted; the next run goes on from here\n")
        raise
    if process.returncode != 0:
        output.unlink(missing_ok=True)
        _tell("failed\n")
        raise BuildFailed(
            f"`go build {build.package}` exited {process.returncode} in {build.module_directory}. It needs the Go "
            "module proxy for what is not downloaded yet, and about 10 GB of disk. Run it again when that is there: "
            f"what was compiled is kept. Its last words:\n{_tail(said)}"
        )


def _go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def _tail(said: str) -> str:
    return "\n".join(said.splitlines()[-OUTPUT_LINES_SHOWN:])


def _tell(words: str) -> None:
    print(words, end="", flush=True, file=sys.stderr)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
