"""Where does a control plane keep its files, and who removes them when it was killed?

In: nothing. Out: a directory that is gone after the ``with`` block. Its owner holds a lock on a file in it, which the
kernel gives up for a process that is killed; the next one to start therefore knows which directories have no owner any
more, and removes them.
"""

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

OWNER_LOCK = "owner.lock"
SETTLE_S = 30.0
"""A directory younger than this may be one whose owner is just about to take the lock."""


@contextlib.contextmanager
def scratch_directory(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A new directory named ``<prefix>...``, removed at the end with all that is in it."""
    parent = parent or Path(tempfile.gettempdir())
    remove_abandoned(prefix, parent)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with (directory / OWNER_LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def remove_abandoned(prefix: str, parent: Path, settle_s: float = SETTLE_S) -> None:
    """No directory with the prefix is left whose owner was killed."""
    for directory in parent.glob(f"{prefix}*"):
        # Another user's directory, or one that its owner is removing right now: not ours to touch.
        with contextlib.suppress(OSError):
            if time.time() - directory.stat().st_mtime < settle_s:
                continue
            with (directory / OWNER_LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
