"""How is a JSON document read so that every mistake is found with its place?"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.formats.table import number


def parsed(text: str) -> Any:
    """The document, or a list of them where each line is one; None where it is no JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except RecursionError:
        return None
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None


def needed(file: str, text: str) -> Any:
    """The document.

    Raises:
        UnusableMeasurements: it is no JSON.
    """
    document = parsed(text)
    if document is None:
        raise UnusableMeasurements(f"{file} is no JSON: give the file that the benchmark wrote, not its screen output")
    return document


def objects(document: Any) -> list[Mapping[str, Any]]:
    """The document as a list of objects; whatever is none is left out."""
    listed = document if isinstance(document, list) else [document]
    return [one for one in listed if isinstance(one, dict)]


def at(value: Any, path: Sequence[str]) -> Any:
    """What stands there; None where nothing does."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def figure(document: Any, paths: Sequence[Sequence[str]], where: str) -> float | None:
    """The positive number at the first of these places that holds one; None where all are empty or zero."""
    for path in paths:
        value = at(document, path)
        if value is not None and value != 0:
            return number(value, f"{where}: {'.'.join(path)}")
    return None


def needed_figure(document: Any, paths: Sequence[Sequence[str]], where: str) -> float:
    """The same; raises UnusableMeasurements where all are empty or zero."""
    value = figure(document, paths, where)
    if value is None:
        raise UnusableMeasurements(f"{where} has no {'.'.join(paths[0])}: was it a run of a streaming text model?")
    return value
