"""Are the chart's copies the files they were copied from? `make generate` writes them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "charts" / "plimsoll" / "files"


@pytest.mark.parametrize("folder", ["crds", "policies"])
def test_the_chart_ships_what_the_repository_holds(folder: str) -> None:
    originals = {file.name: file.read_text() for file in (ROOT / folder).glob("*.yaml")}
    copies = {file.name: file.read_text() for file in (SHIPPED / folder).glob("*.yaml")}
    assert len(originals) == 4
    assert copies == originals, "run `make generate` and commit"
