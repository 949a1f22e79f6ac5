"""What does whoever runs the fit know that the files do not say?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plimsoll.errors import UnusableMeasurements


@dataclass(frozen=True, slots=True)
class Given:
    """Facts that no benchmark writes down; each is asked for only by the formats that need it."""

    only: Mapping[str, str] = field(default_factory=dict)
    """Of a table: the rows with these values in these columns."""
    prompt_tokens: float | None = None
    """Mean prompt, where the file does not tell (MLPerf)."""
    output_tokens: float | None = None
    """Mean output, where the file does not tell."""
    replicas: int = 1
    """Over which the rates of the file were spread: an 8-GPU system with one replica a GPU has 8."""
    sequences: int | None = None
    """That ran at once when all slots were full (MLPerf Offline)."""

    def needed_prompt_tokens(self, where: str) -> float:
        """The mean prompt; raises UnusableMeasurements where it is missing."""
        return _needed(self.prompt_tokens, where, "mean prompt length", "--prompt-tokens")

    def needed_output_tokens(self, where: str) -> float:
        """The mean output; raises UnusableMeasurements where it is missing."""
        return _needed(self.output_tokens, where, "mean output length", "--output-tokens")


def _needed(value: float | None, where: str, name: str, option: str) -> float:
    if value is None:
        raise UnusableMeasurements(f"{where} does not say the {name}: give it with {option}")
    return value
