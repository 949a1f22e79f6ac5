"""A file with demand that makes no sense is refused, and told by line and column what to write."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plimsoll.domain import ObjectKey
from plimsoll.errors import InvalidObject
from plimsoll.simulator.demand import draw_traffic
from plimsoll.simulator.demand.table import read_table
from unit.simulator.folders import STEADY, a_scenario

LENGTHS = STEADY["lengths"]
SIDES = [f"{side}_{name}" for side in ("in", "out") for name in ("p5", "p25", "p50", "p75", "p90", "p95", "p99")]


def refused(folder: Path, **source: Any) -> str:
    scenario = a_scenario(folder, demand=[{"deployment": "chat", **source}])
    with pytest.raises(InvalidObject) as error:
        draw_traffic(scenario, ObjectKey("team-a", "chat"), np.random.default_rng(1))
    return str(error.value)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["a,b", "1,2"], "has no column TIMESTAMP: it needs columns TIMESTAMP, ContextTokens, GeneratedTokens"),
        ([], "and has none"),
        (["TIMESTAMP,ContextTokens,GeneratedTokens"], "has no row under its header"),
        (
            ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:00,10,10"],
            "has requests at one moment only",
        ),
        (
            ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:00,10"],
            "line 2 has 2 cells, the header has 3",
        ),
        (
            ["TIMESTAMP,ContextTokens,GeneratedTokens", "", "1700158500,10,10"],
            "line 3: TIMESTAMP is 1700158500: write a date and a time, such as",
        ),
        (
            ["TIMESTAMP,ContextTokens,GeneratedTokens", "1700158500123.5,10,10"],
            "TIMESTAMP is 1700158500123.5: write a date",
        ),
        (
            ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:00,-1,10"],
            "ContextTokens is -1: write a number of 0 or more",
        ),
        (
            ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:00,1,1.5"],
            "GeneratedTokens is 1.5: write a whole number",
        ),
    ],
)
def test_a_trace_that_is_none(tmp_path: Path, rows: list[str], told: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("".join(f"{row}\n" for row in rows))
    assert told in (text := refused(tmp_path, requests={"file": file.name}))
    assert text.startswith(str(file))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["t_s,rps", "0,1"], "has no rate: it needs columns t_s and requests_per_min or rate_rps, and has t_s, rps"),
        (["t_s,rate_rps", "0,1"], "has one row"),
        (["t_s,rate_rps", "0,1", "600,1", "700,1"], "t_s must rise by the same step"),
        (["t_s,rate_rps", "0,1", "600,-1"], "line 3: rate_rps is -1: write a number of 0 or more"),
        (["t_s,rate_rps", "0,1", "600,nan"], "line 3: rate_rps is nan"),
        (["t_s,requests_per_min", "0,1", "600,"], "line 3: requests_per_min is empty"),
    ],
)
def test_a_rate_that_is_none(tmp_path: Path, rows: list[str], told: str) -> None:
    (tmp_path / "rate.csv").write_text("".join(f"{row}\n" for row in rows))
    assert told in refused(tmp_path, shape={"file": "rate.csv", "lengths": LENGTHS})


@pytest.mark.parametrize(
    ("rates", "lengths", "told"),
    [
        ("who,t_s\n7,0\n", "", "some_clients.csv.gz has no column client"),
        ("client,t_s,rate_rps,pattern,p1\n7,0,-3,Gamma,1\n", None, "line 2: rate_rps is -3"),
        ("client,t_s,rate_rps,pattern,p1\n7,0,3,Gamma,0\n", None, "line 2: p1 is 0: write the shape"),
        ("client,t_s,rate_rps,pattern,p1\n7,0,3,Gamma,1\n", "client,t_s\n7,0\n", "has no column in_p5"),
        ("client,t_s,rate_rps,pattern,p1\n9,0,3,Gamma,1\n", None, "has no client with both rates and lengths"),
    ],
)
def test_clients_that_are_none(tmp_path: Path, rates: str, lengths: str | None, told: str) -> None:
    whole = f"client,t_s,{','.join(SIDES)}\n7,0,{','.join(['10'] * len(SIDES))}\n"
    for name, text in (("clients", rates), ("token_quantiles", whole if lengths is None else lengths)):
        with gzip.open(tmp_path / f"some_{name}.csv.gz", "wt") as file:
            file.write(text)
    assert told in refused(tmp_path, clients={"file": "some"})


def test_a_file_that_was_cut_off_or_is_no_text(tmp_path: Path) -> None:
    whole = gzip.compress(b"client\n" * 1000)
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-9])
    (tmp_path / "plain.csv.gz").write_text("client\n1\n")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("cut.csv.gz", "plain.csv.gz", "binary.csv", "absent.csv"):
        with pytest.raises(InvalidObject, match=f"{name} cannot be read"):
            read_table(tmp_path / name, ["client"])


def test_a_table_as_a_spreadsheet_writes_it_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbft_s, rate_rps\r\n0, 1.5\r\n\r\n600,\r\n")
    table = read_table(tmp_path / "table.csv", ["t_s", "rate_rps"])
    assert table.numbers("rate_rps", empty=2.0).tolist() == [1.5, 2.0]
    assert table.lines == (2, 4)
