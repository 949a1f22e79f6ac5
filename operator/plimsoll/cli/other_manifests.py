"""The manifests to compare with: a folder, or what Git has at another commit.

In: what the user named. Out: paths that hold the other manifests. Git is asked only where no file has that name; its
answer is unpacked into a folder that is gone afterwards.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plimsoll.errors import InvalidObject

_GIT_WITHIN_S = 60.0


@contextmanager
def other_manifests(against: str, filename: Sequence[Path]) -> Iterator[list[Path]]:
    """The paths of the other manifests, for as long as they are needed; none where a commit has none of them yet.

    Args:
        against: a file or folder, or anything that Git takes for a commit.
        filename: what is given with -f; at a commit the same paths are read.

    Raises:
        InvalidObject: it is neither.
    """
    if Path(against).exists():
        yield [Path(against)]
        return
    with tempfile.TemporaryDirectory(prefix="plimsoll-against-") as folder:
        found: list[Path] = []
        for number, path in enumerate(filename):
            place = Path(folder) / str(number)
            archive = _archive(against, path)
            if archive is not None:
                with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
                    packed.extractall(place, filter="data")
                found.append(place)
        yield found


def _archive(commit: str, path: Path) -> bytes | None:
    """The path at that commit as a tar; None where it is not there."""
    inside = path if path.is_dir() else path.parent
    folder = inside if inside.is_dir() else Path()
    own = "." if path.is_dir() else path.name
    if _git(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").returncode != 0:
        raise InvalidObject(
            f"--against {commit}: neither a file or folder, nor a commit that Git knows in {folder.resolve()}; in CI, "
            "fetch it first (a shallow clone has only its own)"
        )
    packed = _git(folder, "archive", "--format=tar", commit, "--", own)
    return packed.stdout if packed.returncode == 0 else None


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=_GIT_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidObject(f"--against needs Git or a folder, and Git did not answer: {error}") from error
