"""The picture fits 80 columns and says what runs where and why."""

import io

from rich.console import Console

from plimsoll_testkit.demo.recording import Look
from plimsoll_testkit.demo.screen import Screen

LOOK = Look(
    at_s=61.0,
    deployments=[
        {
            "metadata": {"name": "assist"},
            "status": {
                "demand": {"arrivalRate": "11.304"},
                "forecast": {"requiredRate": "17.25"},
                "cost": {"perMillionTokens": "0.1234"},
                "variants": [
                    {
                        "name": "xeon",
                        "ready": 4,
                        "current": 4,
                        "target": 0,
                        "predicted": {"ttft": {"p95": "1210.4ms"}, "tpot": {"p95": "87.2ms"}},
                        "observed": {"ttft": {"p95": "1130.1ms"}, "tpot": {"p95": "85.7ms"}},
                    },
                    {
                        "name": "l4-zone-b",
                        "ready": 1,
                        "current": 2,
                        "target": 2,
                        "predicted": {"ttft": {"p95": "1013.2ms"}, "tpot": {"p95": "104.2ms"}},
                        "observed": {"ttft": {"p95": "2344.1ms"}, "tpot": {"p95": "1187.7ms"}},
                    },
                    {"name": "h100", "ready": 0, "current": 0, "target": 0},
                ],
            },
        }
    ],
    pools=[{"metadata": {"name": "gpu-l4"}, "status": {"nodes": 3, "ready": 2, "stockedOutUntil": "soon"}}],
    users={"assist": {"ended": 200, "late_in_flight": 0, "within_slo": 199}},
    last_step="assist xeon 4 -> 0 (Replace): l4 is cheaper from 9 requests per second on; one replica is ready there",
)


BEFORE_THE_FIRST_TICK = Look(
    at_s=0.0,
    deployments=[{"metadata": {"name": "assist"}}],
    pools=[{"metadata": {"name": "cpu-amx"}}],
    users={},
    last_step="none yet",
)


def shown(terminal: bool, look: Look = LOOK) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80, height=40, color_system=None)
    with Screen(console, 250.0) as screen:
        screen.show(look)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_shows_whole_words_at_80_columns() -> None:
    picture = shown(terminal=True)
    for told in ("11.304", "17.25", "1210 / 1130", "87.2 / 85.7", "0.1234", "99.5%", "out of stock", "1013 / 2344"):
        assert told in picture
    assert "…" not in picture


def test_a_variant_that_neither_runs_nor_shall_run_takes_no_row() -> None:
    assert "h100" not in shown(terminal=True)


def test_a_pipe_gets_one_plain_line() -> None:
    (line,) = shown(terminal=False).splitlines()
    assert line.startswith("  61 s  assist 11.304 req/s on 4/0 xeon, 1/2 l4-zone-b, 99.5% in SLO")
    assert "3 gpu-l4 (out of stock)" in line


def test_before_the_first_tick_nothing_is_said_to_be_zero() -> None:
    (line,) = shown(terminal=False, look=BEFORE_THE_FIRST_TICK).splitlines()
    assert line == "   0 s  assist not planned yet; nodes: ? cpu-amx"
