"""Do the reference pages say what the code says, and does the manual build without a warning?"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plimsoll.telemetry import Metrics
from plimsoll_testkit.reference import FOLDER, pages
from unit.explain.plans import a_deployment_plan, a_plan, a_pool_plan

ROOT = Path(__file__).resolve().parents[3]
ZENSICAL = Path(sys.executable).with_name("zensical")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """The manual in that folder, warnings as errors."""
    return subprocess.run(
        [ZENSICAL, "build", "--strict"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", pages())
def test_a_page_is_as_it_would_be_written(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `make generate` and commit docs/reference"


def test_no_page_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == set(pages())


def test_the_manual_builds_without_a_warning(manual: Path) -> None:
    built = build(manual)
    assert built.returncode == 0, built.stdout + built.stderr
    assert (manual / "build/docs/reference/kinds/index.html").is_file()


def test_a_link_to_a_page_that_is_not_there_fails_the_build(manual: Path) -> None:
    page = manual / "docs/index.md"
    page.write_text(page.read_text() + "\n[gone](no-such-page.md)\n")
    assert build(manual).returncode != 0


def test_the_operator_tells_no_metric_that_the_reference_does_not_list() -> None:
    metrics = Metrics()
    metrics.show(a_plan(a_deployment_plan(), pools=(a_pool_plan(),)))
    metrics.ticks.labels("Done").inc()
    told = set(re.findall(r"^# TYPE (\S+)", metrics.page().decode(), re.MULTILINE))
    assert told
    assert told <= set(re.findall(r"^\| `(\w+)`", pages()["metrics.md"], re.MULTILINE))


def test_every_page_is_found_from_the_contents() -> None:
    contents = (ROOT / "zensical.toml").read_text()
    pages_there = sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md"))
    assert [page for page in pages_there if f'"{page}"' not in contents] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_every_metric_that_a_page_names_is_one_that_the_operator_has(page: Path) -> None:
    there = set(re.findall(r"`(plimsoll_\w+)`", pages()["metrics.md"]))
    assert set(re.findall(r"\bplimsoll_(?!testkit)\w+", page.read_text())) <= there
