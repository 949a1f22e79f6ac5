"""The chart carries what the repository generates, byte for byte."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("folder", ["crds", "policies"])
def test_the_chart_holds_the_same_files_as_the_repository(folder: str) -> None:
    own = {path.name: path.read_bytes() for path in (REPOSITORY / folder).glob("*.yaml")}
    in_chart = {path.name: path.read_bytes() for path in (REPOSITORY / "charts/plimsoll/files" / folder).glob("*.yaml")}
    assert own
    assert in_chart == own, "run `make generate` and commit"
