"""What is there to see while the control plane is still being built? The simulator, on the very folder of the demo.

In: where the demo's parts are, or are built. Out: all of them are there; until then, a comparison of Plimsoll with some
rivals on a simulated cluster, and how far the build has got. Where little or nothing is missing, nothing is simulated:
the real thing is there before its figures would be.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from plimsoll_testkit.binaries import TOOL_BY_NAME, Binaries, BinaryMissing, Tool
from plimsoll_testkit.chart import PLIMSOLL
from plimsoll_testkit.control_plane import PARTS
from plimsoll_testkit.demo.scenario import EXAMPLES
from plimsoll_testkit.demo.verdict import ATTAINMENT_FLOOR
from plimsoll_testkit.processes import Process
from plimsoll_testkit.scratch_directory import scratch_directory

NEEDED = (*PARTS, "helm", "prometheus")
OURS = "plimsoll"
POLICIES = ("static", "hpa", "keda", OURS)
"""The quick ones first, so that the first figure is there after seconds."""
WORTHWHILE_S = 90.0
"""A build that takes less is not worth a simulation: what the simulation takes on two cores that build as well."""
POLL_S = 0.2
STOP_S = 30.0
"""For the compiler to take notice that it shall stop."""


SIMULATION: Sequence[str | Path] = (
    PLIMSOLL,
    "simulate",
    EXAMPLES,
    f"--policies={','.join(POLICIES)}",
    "--seeds=1",
    # One at a time, and no workers: the build needs a processor, too.
    "--jobs=1",
)
"""Where its figures go is added."""


def build_what_is_missing(
    console: Console, environment: Mapping[str, str] = os.environ, simulation: Sequence[str | Path] = SIMULATION
) -> None:
    """Every part that the demo needs is there afterwards; what can be seen meanwhile is seen.

    Args:
        console: where it is shown.
        environment: of the search and the build; see ``binaries``.
        simulation: the command that is run meanwhile.

    Raises:
        BinaryMissing: a part can neither be found nor built.
    """
    missing = [tool for tool in (TOOL_BY_NAME[name] for name in NEEDED) if Binaries(environment).find(tool) is None]
    if not missing:
        return
    with scratch_directory("plimsoll-demo-") as directory:
        build = _Build(missing, environment, directory)
        console.print(_announcement(missing), soft_wrap=not console.is_terminal, highlight=False, markup=False)
        build.start()
        try:
            if build.expected_s >= WORTHWHILE_S:
                _simulate(console, build, simulation, directory / "figures.json")
            build.follow(console)
        finally:
            build.stop()


def _announcement(missing: Sequence[Tool]) -> str:
    minutes = max(1, round(sum(tool.expected_s for tool in missing) / 60.0))
    return (
        f"{len(missing)} of the {len(NEEDED)} parts of a real control plane have to be built first, from source and "
        f"only once: {', '.join(tool.name for tool in missing)}. That takes about {minutes} min on two cores."
    )


class _Build:
    """The build in a process of its own, its words kept until somebody listens."""

    def __init__(self, missing: Sequence[Tool], environment: Mapping[str, str], directory: Path) -> None:
        self.expected_s = sum(tool.expected_s for tool in missing)
        # Nice, so that the simulation beside it shows something soon; alone it is as quick as ever.
        command = [sys.executable, "-m", "plimsoll_testkit.binaries", "--quiet", *(tool.name for tool in missing)]
        self._process = Process("build", ["nice", *command], directory / "build.log", environment)
        self._shown = 0

    def start(self) -> None:
        self._process.start()

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    def follow(self, console: Console) -> None:
        """Shows its words as they come, until it has ended.

        Raises:
            BinaryMissing: it could not build something; in its words.
        """
        while self._process.is_running:
            self._show(console)
            time.sleep(POLL_S)
        if self._process.exit_code != 0:
            raise BinaryMissing(self._unshown().strip())
        self._show(console)

    def stop(self) -> None:
        """Ended afterwards; what has been compiled is kept."""
        self._process.stop(STOP_S)

    def _show(self, console: Console) -> None:
        words = self._unshown()
        self._shown += len(words)
        # As it stands: a line of it is continued once its part is built.
        console.file.write(words)
        console.file.flush()

    def _unshown(self) -> str:
        path = self._process.log_path
        return path.read_text()[self._shown :] if path.exists() else ""


def _simulate(console: Console, build: _Build, command: Sequence[str | Path], figures: Path) -> None:
    """A comparison on the screen, unless the build is quicker."""
    rivals = ", ".join(policy for policy in POLICIES if policy != OURS)
    told = (
        f"Meanwhile the simulator plays an hour of examples/demo under {rivals} and Plimsoll: the same code decides as "
        "on a cluster; nodes, engines and users are simulated. The demo's policy moves within seconds, for a show of "
        "minutes: over an hour that costs more than policies that wait."
    )
    console.print(told, soft_wrap=not console.is_terminal, highlight=False, markup=False)
    console.file.flush()
    with subprocess.Popen([*command, f"--json={figures}"], stdin=subprocess.DEVNULL) as simulation:
        try:
            while build.is_running and simulation.poll() is None:
                time.sleep(POLL_S)
        finally:
            simulation.terminate()
    if figures.exists():
        (scenario,) = json.loads(figures.read_text())["scenarios"].values()
        console.print(verdict(scenario["policies"]), soft_wrap=not console.is_terminal, highlight=False, markup=False)


def verdict(policies: Mapping[str, Mapping[str, Any]]) -> str:
    """What the comparison says, in a sentence.

    Args:
        policies: the simulator's figures by policy.
    """
    ours = policies[OURS]
    kept = [(one["usd"], name) for name, one in policies.items() if name != OURS and _keeps(one)]
    told = f"Plimsoll: ${ours['usd']:.2f} with {ours['slo_attainment']:.1%} of requests in SLO"
    if not kept:
        return f"{told}. No rival kept {ATTAINMENT_FLOOR:.0%}."
    usd, name = min(kept)
    difference = 1.0 - ours["usd"] / usd
    compared = f"{difference:.0%} less" if difference >= 0.0 else f"{-difference:.0%} more"
    return f"{told}, {compared} than {name}, the cheapest of these rivals that kept {ATTAINMENT_FLOOR:.0%}."


def _keeps(figures: Mapping[str, Any]) -> bool:
    attainment: float = figures["slo_attainment"]
    return attainment >= ATTAINMENT_FLOOR
