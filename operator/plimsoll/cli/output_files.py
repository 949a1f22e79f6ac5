"""Can the files be written that somebody asks for? Better known before an hour of work than after it."""

import os
from collections.abc import Mapping
from pathlib import Path

from plimsoll.errors import InvalidObject


def refuse_unwritable(files: Mapping[str, Path | None]) -> None:
    """By option; those that are None are not asked for.

    Raises:
        InvalidObject: one cannot be written, or two are one file.
    """
    seen: dict[Path, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        if file.is_dir():
            raise InvalidObject(f"{option} {file} is a folder: name a file in it")
        if not file.parent.is_dir():
            raise InvalidObject(f"{option} {file} cannot be written, there is no folder {file.parent}: make it first")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise InvalidObject(f"{option} {file} cannot be written, it is not permitted: name another file")
        other = seen.setdefault(file.resolve(), option)
        if other != option:
            raise InvalidObject(f"{other} and {option} are both {file}: name two files")


def write_text(option: str, file: Path, text: str) -> None:
    """The whole file.

    Raises:
        InvalidObject: it cannot be written after all.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidObject(f"{option} {file} cannot be written: {error.strerror}; name another file") from error
