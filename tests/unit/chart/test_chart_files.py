"""The chart carries what the repository generates, byte for byte."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("folder", ["crds", "policies"])
def test_the_chart_holds_the_same_files_as_the_repository(folder: str) -> None:
    own, in_chart = contents(REPOSITORY / folder), contents(REPOSITORY / "charts/plimsoll/files" / folder)
    assert own
    assert in_chart == own, "run `make generate` and commit"


def test_every_value_that_the_readme_names_is_one_of_the_chart() -> None:
    chart = REPOSITORY / "charts/plimsoll"
    named = re.findall(r"`([a-z]\w*(?:\.\w+)*)`(?=[^|]*\|[^|]*\|$)", (chart / "README.md").read_text(), re.MULTILINE)
    assert len(named) > 10
    for name in named:
        here: Any = yaml.safe_load((chart / "values.yaml").read_text())
        for part in name.split("."):
            assert part in here, name
            here = here[part]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.yaml")}
