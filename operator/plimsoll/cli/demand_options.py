"""How is demand given on the command line? The options that `plan` and `explain` share, and what they mean."""

import math
from collections.abc import Sequence
from typing import Annotated

import typer

from plimsoll.cli.offline import known_demand, stated_tokens
from plimsoll.domain import Demand, ObjectKey
from plimsoll.errors import InvalidObject

GivenDemand = Annotated[
    list[str] | None,
    typer.Option(
        "--demand",
        metavar="NAME=RATE[:PROMPT/OUTPUT]",
        help="Requests per second, and tokens of a request, of one InferenceDeployment (NAME or NS/NAME).",
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Estimate safe rates instead of simulating those the plan stands on.")
]


def given_demand(texts: Sequence[str] | None, namespace: str) -> dict[ObjectKey, Demand]:
    """Demand by deployment; a name without a namespace is in the given one."""
    return dict(_demand(text, namespace) for text in texts or ())


def _demand(text: str, namespace: str) -> tuple[ObjectKey, Demand]:
    name, _, value = text.partition("=")
    rate, _, lengths = value.partition(":")
    prompt, _, generated = lengths.partition("/")
    own, _, last = name.rpartition("/")
    try:
        rate_rps = _amount(rate)
        tokens = stated_tokens(_amount(prompt), _amount(generated)) if lengths else None
    except ValueError as error:
        raise InvalidObject(
            f"--demand {text} cannot be read: write NAME=RATE or NAME=RATE:PROMPT/OUTPUT, such as chat=12.5:800/200"
        ) from error
    return ObjectKey(own or namespace, last), known_demand(rate_rps, tokens)


def _amount(text: str) -> float:
    amount = float(text)
    if not math.isfinite(amount) or amount < 0:
        raise ValueError(text)
    return amount
