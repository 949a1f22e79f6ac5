"""Answers outlive the process exactly; a file that is broken, foreign, too large or read-only does no harm."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from plimsoll.domain import SizedBy
from plimsoll.engine.search import KERNEL_VERSION
from plimsoll.engine.workload import Lengths
from plimsoll.refining import KeptAnswers
from plimsoll.sizing import Capacity
from unit.refining.cases import a_case, an_answer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "safe-rates.jsonl"


def keep(file: Path, *numbers: int, bound: int = 100) -> KeptAnswers:
    kept = KeptAnswers(file, bound)
    kept.load()
    for number in numbers:
        kept.add(a_case(number), an_answer(float(number)), {})
    return kept


def load(file: Path, bound: int = 100) -> dict[float, Capacity]:
    """By the limit of the first target, which tells the cases apart."""
    return {case.slo[0].limit_ms: answer for case, answer in KeptAnswers(file, bound).load().items()}


def limit_ms(number: int) -> float:
    return a_case(number).slo[0].limit_ms


def test_cases_and_answers_come_back_to_the_last_bit(file: Path) -> None:
    keep(file, 1, 2)
    assert KeptAnswers(file, 100).load() == {a_case(1): an_answer(1.0), a_case(2): an_answer(2.0)}


def test_lengths_that_end_come_back_with_their_end_and_others_without(file: Path) -> None:
    ending = replace(a_case(1), prompts=Lengths(512.0, 1024.0, 2000.0))
    KeptAnswers(file, 100).add(ending, an_answer(1.0), {})
    KeptAnswers(file, 100).add(a_case(1), an_answer(2.0), {})
    assert KeptAnswers(file, 100).load() == {ending: an_answer(1.0), a_case(1): an_answer(2.0)}
    without = file.read_text().splitlines()[1]
    assert "most" not in without  # as before lengths had an end: what earlier versions kept is still of use


def test_no_file_yet_is_nothing_to_tell(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert KeptAnswers(file, 100).load() == {}
    assert caplog.records == []


@pytest.mark.parametrize("line", ["{", "[]", "not json", '{"kernel": 1}', "\u00e4\u00f6"])
def test_a_broken_line_is_left_out_with_one_warning(file: Path, line: str, caplog: pytest.LogCaptureFixture) -> None:
    keep(file, 1)
    file.write_text(f"{line}\n{file.read_text()}{line}\n")
    assert set(load(file)) == {limit_ms(1)}
    (record,) = caplog.records
    assert "2 of 3 lines" in record.getMessage()
    assert str(file) in record.getMessage()
    assert "delete the file" in record.getMessage()


def test_what_another_kernel_said_is_left_out(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(file, 1)
    mark = f'"kernel":{KERNEL_VERSION},'
    assert mark in file.read_text()
    file.write_text(file.read_text().replace(mark, f'"kernel":{KERNEL_VERSION + 1},'))
    assert load(file) == {}
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(sized_by=SizedBy.ESTIMATE),
        an_answer(replicas=(1, 2)),
        an_answer(replicas=(), rate_rps=()),
        an_answer(replicas=(2, 1, 4)),
        an_answer(rate_rps=(1.0, -2.0, 3.0)),
        an_answer(rate_rps=(1.0, float("inf"), 3.0)),
        # More replicas never carry less; the share of none of them would be divided by.
        an_answer(rate_rps=(1.0, 0.0, 3.0)),
        an_answer(latency_ms=()),
        replace(an_answer(), latency_ms=((1.0,), (1.0,))),
        an_answer(full_rps=0.0),
    ],
)
def test_an_answer_that_no_plan_could_stand_on_is_left_out(file: Path, answer: Capacity) -> None:
    keep(file, 1).add(a_case(2), answer, {})
    assert set(load(file)) == {limit_ms(1)}


def test_half_a_line_of_a_killed_process_spoils_no_other(file: Path) -> None:
    keep(file, 1, 2)
    file.write_text(file.read_text()[:-30])
    keep(file, 3)
    assert set(load(file)) == {limit_ms(1), limit_ms(3)}


def test_the_latest_answer_to_a_case_counts(file: Path) -> None:
    kept = keep(file, 1)
    kept.add(a_case(1), an_answer(7.0), {})
    assert load(file) == {limit_ms(1): an_answer(7.0)}


def test_no_more_than_the_bound_is_loaded_the_latest_ones(file: Path) -> None:
    keep(file, 1, 2, 3)
    assert set(load(file, bound=2)) == {limit_ms(2), limit_ms(3)}


def test_a_file_twice_the_bound_is_written_anew_with_what_is_known(file: Path) -> None:
    kept = keep(file, 1, 2, 3, 4, bound=2)
    assert len(file.read_text().splitlines()) == 4
    known = {a_case(4): an_answer(4.0), a_case(5): an_answer(5.0)}
    kept.add(a_case(5), an_answer(5.0), known)
    assert len(file.read_text().splitlines()) == 2
    assert KeptAnswers(file, 2).load() == known
    assert list(file.parent.iterdir()) == [file]


def test_two_containers_with_one_process_id_write_anew_apart(file: Path) -> None:
    known = {a_case(1): an_answer(1.0)}
    kept = keep(file, 1, 2, bound=1)
    # What the other one has begun to write.
    other = file.with_name(f"{file.name}.{os.getpid()}")
    other.write_bytes(b"half a li")
    kept.add(a_case(1), an_answer(1.0), known)
    assert KeptAnswers(file, 1).load() == known
    assert other.read_bytes() == b"half a li"


def test_what_cannot_take_the_files_place_leaves_nothing_behind(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = keep(file, 1, 2, bound=1)
    file.unlink()
    (file / "something").mkdir(parents=True)
    kept.add(a_case(3), an_answer(), {a_case(3): an_answer()})
    assert list(file.parent.iterdir()) == [file]
    assert "cannot be written anew" in caplog.text


def test_a_file_that_is_too_large_from_the_start_is_written_anew(file: Path) -> None:
    keep(file, 1, 2, 3, 4)
    assert set(load(file, bound=2)) == {limit_ms(3), limit_ms(4)}
    assert len(file.read_text().splitlines()) == 2


def test_a_file_that_cannot_be_written_is_one_warning_that_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "no-folder").write_text("")
    with caplog.at_level(logging.WARNING):
        # Reading says so already: a file is no folder.
        keep(tmp_path / "no-folder" / "safe-rates.jsonl", 1, 2)
    (record,) = caplog.records
    assert "sizing.cache_file" in record.getMessage()
    assert "Name a file in a folder that this process may write to, or none" in record.getMessage()


def test_a_full_disk_in_the_middle_ends_keeping_and_nothing_else(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = keep(file, 1)
    file.unlink()
    file.mkdir()
    kept.add(a_case(2), an_answer(), {})
    kept.add(a_case(3), an_answer(), {})
    (record,) = caplog.records
    assert "cannot be written" in record.getMessage()
