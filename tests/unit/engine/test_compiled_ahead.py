"""The machine code of an image is used where nobody may write, and only on the processor it was made for."""

from pathlib import Path
from typing import Any

import numba
import pytest

from plimsoll.engine import compile as compiling
from plimsoll.engine import compiled_ahead
from plimsoll.engine.compiled_ahead import CompiledAhead


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


LOCATOR: Any = CompiledAhead
"""Numba tells no types of what it is a part of."""


def located() -> Any:
    return LOCATOR.from_function(compiling.main, compiling.__file__)


def close_to_writers(folder: Path) -> None:
    """A file where the folder of the source would be: not even root can write into it."""
    (folder / LOCATOR.get_suitable_cache_subpath(compiling.__file__)).write_text("")


def test_a_folder_that_can_be_written_to_is_taken_as_numba_takes_it(folder: Path) -> None:
    found = located()
    assert found is not None
    assert Path(found.get_cache_path()).parent == folder


def test_a_folder_that_nobody_can_write_to_is_taken_when_it_was_made_for_this_processor(folder: Path) -> None:
    close_to_writers(folder)
    assert located() is None
    compiled_ahead.note()
    assert located() is not None


def test_code_for_another_processor_is_not_taken(folder: Path) -> None:
    compiled_ahead.note()
    (note,) = folder.iterdir()
    note.write_text(note.read_text().replace("linux", "plan9"))
    close_to_writers(folder)
    assert located() is None


def test_the_build_plays_the_kernel_and_says_what_for(folder: Path) -> None:
    assert compiling.main([]) == 0
    assert [one.name for one in folder.iterdir() if one.is_file()] == ["compiled-for"]


def test_where_functions_lay_in_the_building_process_is_not_kept(folder: Path) -> None:
    (folder / "engine").mkdir()
    kept = folder / "engine/play.nbc"
    kept.write_bytes(
        b"\x80\x04 global(<function empty at 0x7f616accba60>) :: <function empty at 0x7f616accba60>\x00\xff"
    )
    compiled_ahead.forget_addresses()
    assert kept.read_bytes() == (
        b"\x80\x04 global(<function empty at 0x000000000000>) :: <function empty at 0x000000000000>\x00\xff"
    )
