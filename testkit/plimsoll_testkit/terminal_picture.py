"""A picture of what a command really prints on a terminal, as SVG for the README and the manual.

In: nothing. Out: docs/pictures/*.svg; `python -m plimsoll_testkit.terminal_picture` runs each command in a terminal of
its own and draws what came out. Nothing is edited by hand, so a picture never shows what the program does not say.
"""

import io
import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/pictures"
_COLUMNS, _ROWS = 96, 60
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """One command as a person types it, and the file that shows it."""

    file: str
    command: str


PICTURES = (Picture("plan.svg", "plimsoll plan -f examples/quickstart --demand chat=2:600/200"),)


def draw(picture: Picture) -> str:
    """The SVG of the command and what it printed.

    Raises:
        RuntimeError: the command did not end with 0 or 1.
    """
    printed = _run_in_terminal(picture.command.split())
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), color_system="truecolor", legacy_windows=False)
    console.print(Text.assemble(("$ ", "bold green"), (picture.command, "bold")))
    console.print(Text.from_ansi(printed.rstrip()))
    # The reader's own monospace font: a picture asks no other server for anything.
    svg = console.export_svg(title="plimsoll", unique_id=Path(picture.file).stem)
    return _FONT_FACES.sub("", svg).replace("Fira Code, ", "")


def _run_in_terminal(arguments: Sequence[str]) -> str:
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    program = Path(sys.executable).with_name(arguments[0])
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")},
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    with subprocess.Popen(
        # What is told on standard error depends on how fast the machine is ("simulating ...").
        [program, *arguments[1:]],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        stdin=follower,
        cwd=ROOT,
        env=environment,
    ) as process:
        os.close(follower)
        printed = _read_all(leader)
    os.close(leader)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {printed}")
    return printed.replace("\r\n", "\n")


def _read_all(leader: int) -> str:
    """Until the other side is closed, which Linux tells as an error."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(leader, 65_536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        (FOLDER / picture.file).write_text(draw(picture))
        sys.stdout.write(f"docs/pictures/{picture.file}\n")


if __name__ == "__main__":
    main()
