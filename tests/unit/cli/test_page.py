"""A page folds its lines on a terminal, keeps each whole in a pipe, and colours only where colours are wanted."""

import io

import pytest
from rich.console import Console

from plimsoll.cli.page import BAD, Page, right

LONG = "ready replicas carry 8.0 of 10.0 req/s within the SLO: waiting for 1 h100 that is still being started, and more"


def written(out: Console) -> list[str]:
    page = Page(out)
    page.title("team-a/chat")
    page.lines("NOT WELL", [LONG], BAD)
    page.table("not taken", ("variant", right("USD/h"), "why"), [("a-rather-long-name", "6.88", LONG)])
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


def a_terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, color_system="standard")


def test_on_a_terminal_nothing_is_wider_and_nothing_is_lost() -> None:
    lines = written(Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None))
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    folded = [line for line in lines if line.startswith("           ")]
    assert folded, "what continues stands under its beginning"


def test_in_a_pipe_a_line_stays_whole() -> None:
    assert f"NOT WELL   {LONG}" in written(Console(file=io.StringIO(), width=80))


def test_a_verdict_has_its_colour_on_a_terminal() -> None:
    assert "\x1b[31m" in "\n".join(written(a_terminal()))


def test_no_color_takes_the_colours_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in "\n".join(written(a_terminal()))


def test_a_label_without_text_is_left_out() -> None:
    out = Console(file=io.StringIO())
    page = Page(out)
    page.lines("trouble", [])
    page.table("runs", ("variant",), [])
    assert isinstance(out.file, io.StringIO)
    assert out.file.getvalue() == ""
