"""Where are public traces and measurements? Never part of the repository: they belong to those who published them.

In: the environment. Out: the folder that holds `measured/` and `traces/`, where there is one.
"""

import os
from pathlib import Path

from plimsoll.errors import UnusableMeasurements

VARIABLE = "PLIMSOLL_DATA_DIR"
_KNOWN_BY = "measured"


def found() -> Path | None:
    """The folder named by the environment, else `shared/data` beside the repository; None where it is not there."""
    told = os.environ.get(VARIABLE)
    repository = Path(__file__).resolve().parents[1]
    candidates = [Path(told)] if told else [parent / "shared" / "data" for parent in repository.parents]
    return next((one for one in candidates if (one / _KNOWN_BY).is_dir()), None)


def measured() -> Path:
    """The folder with the measured files.

    Raises:
        UnusableMeasurements: it is not there.
    """
    folder = found()
    if folder is not None:
        return folder / _KNOWN_BY
    where = os.environ.get(VARIABLE) or "any folder shared/data beside the repository"
    raise UnusableMeasurements(
        f"there are no measurements in {where}: the catalogue in charts/plimsoll/catalog stays as it is. To build it"
        f" anew, set {VARIABLE} to the folder that holds {_KNOWN_BY}/gpu_8b_load_points.csv and its neighbours"
    )
