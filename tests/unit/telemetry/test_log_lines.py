"""A log line is one JSON object that carries what was passed beside the message."""

import json
import logging
import sys
from typing import Any

from plimsoll.telemetry import JsonFormatter


def line(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(record)
    assert "\n" not in text
    told: dict[str, Any] = json.loads(text)
    return told


def a_record(message: str = "scaled %s", *values: object, **extra: object) -> logging.LogRecord:
    logger = logging.getLogger("plimsoll.tick")
    return logger.makeRecord(logger.name, logging.INFO, __file__, 1, message, values, None, extra=extra)


def test_a_line_carries_level_logger_message_and_utc_time() -> None:
    record = a_record("scaled %s", "chat")
    record.created = 0.25
    assert line(record) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "info",
        "logger": "plimsoll.tick",
        "message": "scaled chat",
    }


def test_fields_beside_the_message_stand_in_the_line() -> None:
    told = line(a_record("scaled", to=3, usd_per_hour=12.5))
    assert (told["to"], told["usd_per_hour"]) == (3, 12.5)


def test_what_json_does_not_know_is_told_as_text() -> None:
    assert line(a_record("scaled", at={"a"}))["at"] == "{'a'}"


def test_a_traceback_stays_within_its_line() -> None:
    record = a_record("tick failed")
    try:
        raise ValueError("a bug")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: a bug" in line(record)["exception"]
