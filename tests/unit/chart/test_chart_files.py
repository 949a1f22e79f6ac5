"""The chart carries what the repository generates, byte for byte."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("folder", ["crds", "policies"])
def test_the_chart_holds_the_same_files_as_the_repository(folder: str) -> None:
    own, in_chart = contents(REPOSITORY / folder), contents(REPOSITORY / "charts/plimsoll/files" / folder)
    assert own
    assert in_chart == own, "run `make generate` and commit"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.yaml")}
