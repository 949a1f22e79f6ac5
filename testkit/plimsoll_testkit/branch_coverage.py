"""Do the unit tests take enough branches of every pure station, and which one falls short by how much?

In: what ``pytest --cov`` measured, and the stations that .importlinter's contract calls pure, so a new one is held to
it from its first day. Out: a line for each; the exit code is 1 when one falls short, and then the branches that no test
takes are listed.

    python -m plimsoll_testkit.branch_coverage
"""

import configparser
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage import Coverage

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path("operator/plimsoll")
CONTRACT = "importlinter:contract:pure"
ABOVE_PERCENT = 90
"""A convention: what is left are mostly guards of our own invariants, which no input reaches."""


@dataclass(frozen=True)
class Station:
    """How many of its branches were taken."""

    name: str
    taken: int
    branches: int
    not_taken: tuple[str, ...]
    """Each as ``file:line -> line``; a negative line is the way out of the function that begins there."""

    @property
    def percent(self) -> float:
        return 100.0 * self.taken / self.branches if self.branches else 100.0

    @property
    def short_by(self) -> int:
        """Branches that must be taken besides; none where there are none."""
        needed = self.branches * ABOVE_PERCENT // 100 + 1 if self.branches else 0
        return max(0, needed - self.taken)


class NotMeasured(Exception):
    """A station is not in the report, so nothing can be said of it."""


def pure_stations(contracts: Path) -> list[str]:
    """Names of the stations, as folders or files under the package."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(contracts.read_text())
    return [module.removeprefix("plimsoll.") for module in parser[CONTRACT]["source_modules"].split()]


def stations(names: Sequence[str], report: Mapping[str, Any]) -> list[Station]:
    """Each station's sum over its files, from coverage's JSON report.

    Raises:
        NotMeasured: the report has no file of a station.
    """
    return [_station(name, report["files"]) for name in names]


def _station(name: str, files: Mapping[str, Any]) -> Station:
    own = {path: file for path, file in files.items() if _station_of(path) == name}
    if not own:
        raise NotMeasured(
            f"{PACKAGE / name}: nothing was measured of it. Run `make test-unit`, which measures and then checks; if "
            "the station was renamed, rename it in .importlinter too"
        )
    return Station(
        name,
        taken=sum(file["summary"]["covered_branches"] for file in own.values()),
        branches=sum(file["summary"]["num_branches"] for file in own.values()),
        not_taken=tuple(
            f"{path}:{a} -> {b}" for path, file in sorted(own.items()) for a, b in file["missing_branches"]
        ),
    )


def _station_of(path: str) -> str:
    """The folder or the file right under the package."""
    try:
        return Path(Path(path).relative_to(PACKAGE).parts[0]).stem
    except ValueError:
        return ""


def verdict(measured: Sequence[Station]) -> tuple[str, bool]:
    """What to tell, and whether every station passes."""
    lines = [
        f"{one.name:<12}{one.taken:>5} of {one.branches:>4} branches{one.percent:>7.1f}%{_shortfall(one)}"
        for one in measured
    ]
    short = [one for one in measured if one.short_by]
    if short:
        lines.append("No unit test takes these branches:")
        lines += [f"  {branch}" for one in short for branch in one.not_taken]
    return "\n".join(lines), not short


def _shortfall(station: Station) -> str:
    if not station.short_by:
        return ""
    return f"  TOO FEW: {station.short_by} more must be taken to be above {ABOVE_PERCENT}%"


def _measured() -> dict[str, Any]:
    """The JSON report of the run before this one."""
    data = Coverage(config_file=str(ROOT / "pyproject.toml"))
    data.load()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "coverage.json"
        data.json_report(outfile=str(path))
        report: dict[str, Any] = json.loads(path.read_text())
    return report


def main() -> int:
    """0 when every pure station passes, else 1."""
    try:
        told, passes = verdict(stations(pure_stations(ROOT / ".importlinter"), _measured()))
    except NotMeasured as missing:
        print(missing, file=sys.stderr)
        return 1
    print(told)
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
