"""A stand-in for `go` that takes as long as told and notes each call: nothing is compiled."""

from pathlib import Path


class FakeGo:
    """A `go` that takes every module, and whose builds sleep first and are recorded."""

    def __init__(self, directory: Path) -> None:
        self._calls = directory / "calls"
        self.directory = directory / "go-bin"
        self.directory.mkdir()
        self.behave(sleep_s=0)

    def behave(self, sleep_s: float, exit_code: int = 0, says: str = "") -> None:
        script = self.directory / "go"
        script.write_text(
            "#!/bin/sh\n"
            'test "$1" = build || exit 0\n'
            f'echo "$@" >> {self._calls}\n'
            'while [ "$1" != "-o" ]; do shift; done\n'
            'printf partly > "$2"\n'
            f"sleep {sleep_s} &\n"
            'trap "kill $!; exit 1" TERM\n'
            "wait $!\n"
            f'echo "{says}"\n'
            'printf whole > "$2"; chmod +x "$2"\n'
            f"exit {exit_code}\n"
        )
        script.chmod(0o755)

    def refuse_every_module(self, says: str) -> None:
        (self.directory / "go").write_text(f'#!/bin/sh\necho "$@" >> {self._calls}\necho "{says}" >&2\nexit 1\n')

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


def an_executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("whole")
    path.chmod(0o755)
    return path
