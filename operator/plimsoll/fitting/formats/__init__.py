"""What does this measurement file say? One module for each format, recognised by its content.

In: a file's name and text, and what the caller adds. Out: observations. A new format is a new module and one line in
`READERS`. The order matters where one format's keys are part of another's.
"""

from collections.abc import Sequence
from typing import Protocol

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.formats import guidellm, llama_bench, load_points, mlperf, timings, vllm_bench
from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.observations import Observation

__all__ = ["FORMATS", "Given", "read"]


class Reader(Protocol):
    """What each format's module offers."""

    NAME: str

    def recognises(self, text: str) -> bool:
        """Whether this text looks like it."""

    def read(self, file: str, text: str, given: Given) -> Sequence[Observation]:
        """Its observations; raises UnusableMeasurements with file and line."""


READERS: tuple[Reader, ...] = (guidellm, vllm_bench, llama_bench, mlperf, load_points, timings)
FORMATS = tuple(reader.NAME for reader in READERS)


def read(file: str, text: str, given: Given, form: str | None = None) -> tuple[Observation, ...]:
    """The observations of one file.

    Args:
        file: its name, for messages.
        text: its content.
        given: what the file does not say itself.
        form: one of `FORMATS`; None: whichever recognises the content.

    Raises:
        UnusableMeasurements: nobody recognises it, or a line of it cannot be read.
    """
    # The mark that some tools begin their files with is no part of what they say.
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise UnusableMeasurements(f"{file} is empty: name a file with measurements")
    for reader in READERS:
        if form == reader.NAME or (form is None and reader.recognises(text)):
            found = tuple(reader.read(file, text, given))
            if not found:
                raise UnusableMeasurements(f"{file} holds no measurement that {reader.NAME} could use")
            return found
    known = ", ".join(FORMATS)
    if form is not None:
        raise UnusableMeasurements(f"there is no format {form}: use one of {known}")
    raise UnusableMeasurements(
        f"{file} is in none of the formats known: {known}. Name one with --format, or write a CSV"
    )
