"""Which commands does the manual show, and which test runs each?

In: README, CONTRIBUTING, SECURITY, the chart's README and the pages of docs. Out: every command as a reader would type
it, and where it is run. A command is a line of a code block that begins with a program, every line of a block marked
``sh``, and a stretch of ``code`` in a sentence that has an option; tables and the generated reference only name
commands. One that no rule here knows is run by nobody, and a test says so.
"""

import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = frozenset({"argocd", "cosign", "curl", "docker", "flux", "git", "go", "helm", "kubectl", "make", "plimsoll"})
"""Of commands that stand in blocks that are not marked."""
_BESIDE_DOCS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "charts/plimsoll/README.md")
_SENTENCE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_FILLED_IN = (
    (r"(?<=cpool )NAME\b", "gpu-l4"),
    (r"\bNAME\b", "chat"),
    (r"\bNAMESPACE\b", "default"),
    (r"\bFOLDER\b", "examples/demo"),
)
"""What a reader puts in place of a word in capitals, in the world of the tests."""


class RunBy(Enum):
    """Which test runs a command that is shown."""

    FILES = "tests/unit/cli/test_manual.py"
    """It needs nothing but files."""
    SIMULATOR = "tests/integration/test_manual.py"
    """The same, and takes seconds."""
    CLUSTER = "tests/integration/test_first_week.py"
    """It speaks to a cluster that Plimsoll is installed on."""


ELSEWHERE: Mapping[str, str] = {
    # make is what runs the tests: `make lint` and `make test` are CI itself, and setup comes before both.
    "make": ".ci/run",
    "docker": "tests/integration/test_image.py",
    # A pod of KWOK's has no container: its command is run as a process there, and what it logs is read there.
    "helm test": "tests/integration/test_chart.py",
    "kubectl -n plimsoll-system logs": "tests/integration/test_operator_start.py",
    # What it checks is there only after a release; that the workflow makes it is held there.
    "cosign": "tests/unit/delivery/test_release.py",
}
"""By how a command begins: where its steps are tested, when this machine cannot run it as it is written."""


@dataclass(frozen=True)
class Shown:
    """One command of the manual."""

    page: str
    text: str
    """As typed, with words in capitals filled in; comments and a continued line's breaks are gone."""

    @property
    def words(self) -> list[str]:
        """As a shell splits it; where its output goes is the shell's affair."""
        return shlex.split(re.split(r" [>|] ", self.text)[0])

    @property
    def run_by(self) -> RunBy | str | None:
        """The test that runs it or its steps; None where nobody does."""
        for beginning, place in ELSEWHERE.items():
            if f"{self.text} ".startswith(f"{beginning} "):
                return place
        match self.words:
            case ["plimsoll", "simulate", *_]:
                return RunBy.SIMULATOR
            case ["plimsoll", "plan" | "profile" | "prices" | "crds", *_] | ["plimsoll", *_, "--help"]:
                return RunBy.FILES
            case ["plimsoll", "explain", *options] if "-f" in options:
                return RunBy.FILES
            case ["plimsoll", "explain" | "status" | "top" | "pause" | "resume", *_] | ["kubectl" | "helm", *_]:
                return RunBy.CLUSTER
        return None


def shown() -> tuple[Shown, ...]:
    """Every command of every page, in the order of the pages, each once a page."""
    found = (Shown(name, command) for name, text in _pages() for command in _commands(text))
    return tuple(dict.fromkeys(found))


def block_after(page: str, line: str, language: str = "") -> str:
    """The first code block behind a line of the page, to be used as the file that it shows."""
    _, _, rest = (ROOT / page).read_text().partition(f"\n{line}\n")
    return rest.partition(f"\n```{language}\n")[2].partition("```")[0]


def pieces_of_manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a block marked ``yaml``, whole or only what a reader has to change, with its page."""
    for name, text in _pages():
        for _, block in re.findall(r"^( *)```yaml\n(.*?)^\1```", text, flags=re.MULTILINE | re.DOTALL):
            yield from ((name, one) for one in yaml.safe_load_all(textwrap.dedent(block)) if "kind" in one)


def _pages() -> Iterator[tuple[str, str]]:
    written = (path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "reference")
    for path in (*(ROOT / name for name in _BESIDE_DOCS), *written):
        yield str(path.relative_to(ROOT)), path.read_text()


def _commands(text: str) -> Iterator[str]:
    sentences: list[str] = []
    language: str | None = None
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            language = line.lstrip()[3:].strip() if language is None else None
        elif language is not None or line.startswith("    "):
            command = _typed(line)
            if command and (language == "sh" or command.split()[0] in PROGRAMS):
                yield command
        elif not line.startswith("|"):
            sentences.append(line)
    for span in _SENTENCE.findall("\n".join(sentences)):
        command = _typed(span)
        if command and command.split()[0] in PROGRAMS and " -" in command:
            yield command


def _typed(line: str) -> str:
    """What is typed of a line: without the prompt and the comment behind it."""
    text = re.sub(r"(^|\s)#\s.*", "", " ".join(line.split())).removeprefix("$ ").strip()
    for pattern, filling in _FILLED_IN:
        text = re.sub(pattern, filling, text)
    return text
