"""Fitting: what people measured about an engine in, its step-time law out, with its error and what it cannot say.

In: the text of measurement files, and a few facts that no file holds. Out: a `Fit`. Never here: files, the wire format
(``cli`` writes the ServingProfile), and what a load then needs (``sizing``). Pure.

- ``formats``: one reader for each format of file.
- ``observations``: what was measured, as linear equations in the terms.
- ``sanity``: measurements that cannot be true are refused.
- ``telling_apart``: which terms the data can tell apart.
- ``least_squares``: the terms, robustly.
- ``law``: all of it, with leave-one-out errors.
- ``crossvalidation``: the law on loads that it never saw, request by request.
"""

from plimsoll.fitting.crossvalidation import Accuracy, Play, crossvalidate, latencies_at
from plimsoll.fitting.formats import FORMATS, Given, read
from plimsoll.fitting.law import CHUNK_TOKENS, Fit, fit
from plimsoll.fitting.observations import DecodeStep, LoadPoint, Observation, PromptPass, saturated

__all__ = [
    "CHUNK_TOKENS",
    "FORMATS",
    "Accuracy",
    "DecodeStep",
    "Fit",
    "Given",
    "LoadPoint",
    "Observation",
    "Play",
    "PromptPass",
    "crossvalidate",
    "fit",
    "latencies_at",
    "read",
    "saturated",
]
