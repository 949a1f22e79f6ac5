"""Is what a release is made of pinned, and does everything name the same version?"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_zizmor_finds_nothing_in_the_workflows() -> None:
    command: list[str | Path] = [Path(sys.executable).parent / "zizmor", "--offline", "--no-progress", ROOT / ".github"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    assert len(used) == sum("uses" in step for step in steps(path))
    for one in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_right_that_a_job_does_not_ask_for(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}


def test_a_release_signs_and_lists_what_is_in_it() -> None:
    ran = "\n".join(step.get("run", "") for step in steps(ROOT / ".github/workflows/release.yaml"))
    for what in (
        "cosign sign --yes --recursive",
        "cosign attest --yes --type cyclonedx",
        "cosign sign-blob",
        "cyclonedx_py",
    ):
        assert what in ran


def test_package_chart_and_changelog_name_the_same_version() -> None:
    chart = yaml.safe_load((ROOT / "charts/plimsoll/Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == VERSION
    assert f"plimsoll:{VERSION}" in chart["annotations"]["artifacthub.io/images"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == VERSION


def test_the_wheel_built_again_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    """As the release workflow builds it: only the commit's time is given."""
    for turn in ("first", "second"):
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / turn)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=True)
    first, second = (list((tmp_path / turn).iterdir()) for turn in ("first", "second"))
    assert [one.name for one in first] == [one.name for one in second] == [f"plimsoll-{VERSION}-py3-none-any.whl"]
    assert first[0].read_bytes() == second[0].read_bytes()


def test_artifact_hub_is_told_of_every_kind() -> None:
    chart = yaml.safe_load((ROOT / "charts/plimsoll/Chart.yaml").read_text())
    told = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    assert {one["name"] for one in told} == {
        yaml.safe_load(path.read_text())["metadata"]["name"] for path in (ROOT / "crds").glob("*.yaml")
    }
