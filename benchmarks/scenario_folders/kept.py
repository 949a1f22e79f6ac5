"""Which runs have been made already? Each in a file of its own, so that a benchmark goes on where it was stopped.

In: what a run was made of. Out: what was kept of it, as long as nothing has changed that it depends on: the scenario's
files, what runs when it begins, and the source. A baseline stands on the simulator alone, so that runs of Plimsoll can
be repeated while its stations are mended. Comments and docstrings may change: they are no part of what is compared.
To have a run made anew, delete its file.
"""

import ast
import hashlib
import pickle
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import plimsoll
from plimsoll.domain import VariantKey
from plimsoll.simulator.episode import draw
from plimsoll.simulator.policies import POLICIES
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.starting import first_replicas

PACKAGE = Path(plimsoll.__file__).parent
PLIMSOLL, BOUND = "plimsoll", "bound"
_NO_MATTER = ("cli", "explain", "simulator/report", "simulator/runs.py", "simulator/sweep.py")
"""What tells of runs, and makes none."""
_ENGINES = ("engine", "observe", "simulator")
_SOLVER = ("planning/solver.py", "planning/programme.py")
"""Of the planner what bounds are solved with."""
_NOT_OF_BASELINES = (
    "simulator/attribution.py",
    "simulator/bounded.py",
    "simulator/bound",
    "simulator/safe_rates.py",
    "simulator/answers.py",
)


class Kept:
    """A folder of runs."""

    def __init__(
        self,
        folder: Path,
        scenarios: Path,
        older: bool = False,
        ours_too: bool = False,
        source_of: Callable[[str], str] | None = None,
    ) -> None:
        """A folder that is made when something is kept.

        Args:
            folder: of this.
            scenarios: folder of the scenarios' folders.
            older: baselines that another source made count too.
            ours_too: and so do Plimsoll's runs, with their bounds.
            source_of: what tells of a label whether its code is still the same; default: `source`.
        """
        self._folder = folder
        self._scenarios = scenarios
        self._older = older
        self._ours_too = ours_too
        self._source_of = source_of or source
        self._starts: dict[tuple[str, int], Mapping[VariantKey, int]] = {}
        self.older_of_baselines = 0
        """How many of their runs are of another source."""
        self.older_of_ours: set[str] = set()
        """Scenarios in which Plimsoll's runs are, or its bounds."""

    def of(self, scenario: Scenario, label: str, seed: int) -> object | None:
        """What was kept of it; None where nothing is, or it has been made of something else."""
        file = self._file(scenario, label, seed)
        if not file.is_file():
            return None
        made_of: str
        value: object
        try:
            made_of, value = pickle.loads(file.read_bytes())
        except (pickle.UnpicklingError, AttributeError, ImportError, EOFError, TypeError):
            # Made by a source whose types were others.
            return None
        if made_of == self._made_of(scenario, label, seed):
            return value
        if not (self._ours_too if _is_ours(label) else self._older):
            return None
        if _is_ours(label):
            self.older_of_ours.add(scenario.name)
        else:
            self.older_of_baselines += 1
        return value

    def add(self, scenario: Scenario, label: str, seed: int, value: object) -> None:
        """Keep it in place of what was there."""
        file = self._file(scenario, label, seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_bytes(pickle.dumps((self._made_of(scenario, label, seed), value)))
        # Whoever stops it half way leaves no half file.
        beside.replace(file)

    def _file(self, scenario: Scenario, label: str, seed: int) -> Path:
        return self._folder / scenario.name / f"{re.sub('[^a-zA-Z0-9@=.+-]', '_', label)}.{seed}.pickle"

    def _made_of(self, scenario: Scenario, label: str, seed: int) -> str:
        parts = [
            _files(sorted((self._scenarios / scenario.name).glob("*.yaml"))),
            _demand(scenario),
            self._source_of(label),
        ]
        if not _is_ours(label):
            parts.append(str(sorted(self._start(scenario, seed).items())))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _start(self, scenario: Scenario, seed: int) -> Mapping[VariantKey, int]:
        key = (scenario.name, seed)
        if key not in self._starts:
            self._starts[key] = first_replicas(draw(scenario, seed))
        return self._starts[key]


def _is_ours(label: str) -> bool:
    """Whether it is a run of Plimsoll, or of the bound, which stands on its sizing."""
    return _name(label) in (PLIMSOLL, BOUND)


def _name(label: str) -> str:
    return label.partition("=")[0].partition("@")[0]


def _demand(scenario: Scenario) -> str:
    """Names and sizes of the files that demand is read from: traces that were published do not change."""
    names: set[str] = set()
    for one in (one for sources in scenario.demand.values() for one in sources):
        with_file = one.requests or one.shape or one.clients
        with_lengths = one.shape or one.generated
        names |= {with_file.file} if with_file else set()
        names |= {with_lengths.lengths.trace} if with_lengths and with_lengths.lengths.trace else set()
    found = {path for folder in scenario.data_folders for name in names for path in folder.rglob(f"{name}*")}
    return str(sorted((path.name, path.stat().st_size) for path in found))


# --- Source ----------------------------------------------------------------------------------------------------------


@cache
def source(label: str) -> str:
    """What tells whether the code that makes such a run is still the same."""
    return code([PACKAGE / one for one in modules(label)])


def modules(label: str) -> list[str]:
    """Files of the package that such a run stands on."""
    name = _name(label)
    others = _policies(POLICIES) - _with_imports(_policies([name]))
    every = [one.relative_to(PACKAGE).as_posix() for one in sorted(PACKAGE.rglob("*.py"))]
    every = [one for one in every if not _within(one, (*_NO_MATTER, *others))]
    if name == PLIMSOLL:
        return every
    if name == BOUND:
        return [one for one in every if _within(one, (*_ENGINES, "sizing", *_SOLVER))]
    return [one for one in every if _within(one, _ENGINES) and not _within(one, _NOT_OF_BASELINES)]


def _policies(names: Iterable[str]) -> set[str]:
    files = {f"simulator/policies/{one.replace('-', '_')}.py" for one in names}
    return {one for one in files if (PACKAGE / one).is_file()}


def _with_imports(files: set[str]) -> set[str]:
    """With the other policies' files that they import, and these."""
    found = {
        f"{node.module.removeprefix(f'{PACKAGE.name}.').replace('.', '/')}.py"
        for file in files
        for node in ast.walk(ast.parse((PACKAGE / file).read_text()))
        if isinstance(node, ast.ImportFrom) and node.module is not None and _is_policy(node.module)
    }
    return files if found <= files else _with_imports(files | found)


def _is_policy(module: str) -> bool:
    return module.startswith(f"{PACKAGE.name}.simulator.policies.")


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in folders)


def code(paths: Sequence[Path]) -> str:
    """A sum of what modules do, whatever they say about it."""
    return hashlib.sha256("\n".join(map(_statements, paths)).encode()).hexdigest()


@cache
def _statements(path: Path) -> str:
    """A module without comments and docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return ast.dump(tree)


def _files(paths: Sequence[Path]) -> str:
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in paths)).hexdigest()
