"""What does the Dockerfile do, step by step, where there is no container engine?

In: the Dockerfile. Out: its steps, and a way to run those of the first stage in a clean folder that stands for the
root of the image. Only what this Dockerfile uses is understood; anything else is an error, never skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ("/opt/plimsoll", "/src")
"""Folders of the image that the steps write to."""


@dataclass
class Stage:
    """One stage: its instructions in order, line continuations and comments resolved."""

    steps: list[tuple[str, str]] = field(default_factory=list)

    def arguments(self, instruction: str) -> list[str]:
        return [text for name, text in self.steps if name == instruction]

    def command(self, instruction: str) -> list[str]:
        """The last one in the form of a JSON list."""
        text = self.arguments(instruction)[-1]
        listed: list[str] = json.loads(text[text.index("[") :])
        return listed


def stages() -> list[Stage]:
    """The stages of the Dockerfile."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction, _, text = line.strip().partition(" ")
        if instruction == "FROM":
            found.append(Stage())
        elif instruction and found:
            found[-1].steps.append((instruction, text))
    return found


@dataclass
class Image:
    """A folder that stands for the image's root, with the environment that its steps have set."""

    root: Path
    environment: dict[str, str]

    def run_step(self, instruction: str, text: str) -> None:
        """What the engine would do for one instruction of the first stage."""
        match instruction:
            case "ENV":
                self.set_environment(text)
            case "ARG":
                name, _, default = text.partition("=")
                self.environment[name] = default
            case "WORKDIR":
                self.path(text).mkdir(parents=True)
            case "COPY":
                *sources, target = text.split()
                for source in sources:
                    self._copy(ROOT / source, self.path("/src") / target)
            case "RUN":
                self.run(text)
            case _:
                raise NotImplementedError(f"this stage has {instruction}: teach the test what it means")

    def set_environment(self, text: str) -> None:
        for name, value in re.findall(r"(\w+)=(\S+)", text):
            self.environment[name] = re.sub(
                r"\$\{?(\w+)\}?", lambda m: self.environment.get(m[1], ""), self.local(value)
            )

    def run(self, text: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-ec", self.local(text)],
            cwd=self.path("/src"),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"RUN {text}\n{done.stdout}{done.stderr}"

    def local(self, text: str) -> str:
        """The same with folders of the image where they are here."""
        for folder in HERE:
            text = text.replace(folder, f"{self.root}{folder}")
        return text

    def path(self, path: str) -> Path:
        return Path(f"{self.root}{path}")

    def _copy(self, source: Path, target: Path) -> None:
        if source.is_dir():
            # As .dockerignore has it: nothing that a run has left behind.
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / source.name if target.is_dir() else target)


def built_image(root: Path, environment: Mapping[str, str]) -> Image:
    """The first stage, run; then the environment of the second.

    Args:
        root: an empty folder.
        environment: what the base image would bring, and how pip reaches its registry.
    """
    first, second = stages()
    image = Image(root, dict(environment))
    for instruction, text in first.steps:
        image.run_step(instruction, text)
    carried = Image(root, {"PATH": environment["PATH"]})
    for text in second.arguments("ENV"):
        carried.set_environment(text)
    return carried


def base_environment(python_folder: Path) -> dict[str, str]:
    """As in a python:slim image: `python` on PATH, and nothing of this process but how to reach the registry."""
    python_folder.mkdir()
    (python_folder / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    reach = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.lower()}
    return {**reach, "PATH": f"{python_folder}:/usr/bin:/bin"}
