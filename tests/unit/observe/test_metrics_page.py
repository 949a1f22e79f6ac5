"""The page for people and the table of data name the same metrics."""

import re
from pathlib import Path

import pytest

from plimsoll.observe.dialects import DIALECTS, Dialect

PAGE = (Path(__file__).parents[3] / "docs" / "metrics-read.md").read_text(encoding="utf-8")


def _names(dialect: Dialect) -> set[str]:
    fields = (getattr(dialect, name) for name in dialect.__dataclass_fields__)
    return {series.name for field in fields if isinstance(field, tuple) for series in field}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.title)
def test_every_metric_of_the_table_is_on_the_page(dialect: Dialect) -> None:
    assert {name for name in _names(dialect) if f"`{name}`" not in PAGE} == set()


def test_every_metric_on_the_page_is_in_the_table() -> None:
    known = {name for dialect in DIALECTS for name in _names(dialect)}
    prefixes = ("vllm:", "sglang:", "tgi_", "nv_", "llamacpp:", "ovms_", "inference_", "gen_ai_server", "gen_ai_client")
    written = {name for name in re.findall(r"`([a-z_]+:?[a-z0-9_]+)`", PAGE) if name.startswith(prefixes)}
    assert written - known == set()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.title)
def test_the_model_label_is_on_the_page(dialect: Dialect) -> None:
    assert dialect.model_label is None or f"`{dialect.model_label}`" in PAGE
