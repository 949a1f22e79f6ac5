"""Where are the measurements? Never part of the repository: they belong to those who published them."""

import os
from pathlib import Path

from plimsoll.errors import UnusableMeasurements

VARIABLE = "PLIMSOLL_DATA_DIR"
_NEEDED = "measured"


def find() -> Path:
    """The folder with the measured files: from the environment, else `shared/data` beside the repository.

    Raises:
        UnusableMeasurements: it is not there.
    """
    told = os.environ.get(VARIABLE)
    repository = Path(__file__).resolve().parents[2]
    candidates = [Path(told)] if told else [parent / "shared" / "data" for parent in repository.parents]
    for candidate in candidates:
        if (candidate / _NEEDED).is_dir():
            return candidate / _NEEDED
    where = told or "any folder shared/data beside the repository"
    raise UnusableMeasurements(
        f"there are no measurements in {where}: the catalogue in charts/plimsoll/catalog stays as it is. To build it"
        f" anew, set {VARIABLE} to the folder that holds {_NEEDED}/gpu_8b_load_points.csv and its neighbours"
    )
