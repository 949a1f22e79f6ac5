"""Do the texts of the wire mean what Kubernetes and people take them for?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from plimsoll.api import DecimalText, Duration, Money, Quantity, Timestamp


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("800ms", 0.8), ("30s", 30.0), ("5m", 300.0), ("1h", 3600.0), ("1h30m", 5400.0), ("0.1s", 0.1), ("0s", 0.0)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert Duration.accept(text).seconds == seconds


@pytest.mark.parametrize("text", ["80", "", "5 m", "-5m", "5d", "1e3s", ".5s", "5M", "1h1h1h1h1h", "5m\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="write a duration with its unit"):
        Duration.accept(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (0.25, "0.25s"), (90.0, "90s"), (120.0, "2m"), (3600.0, "1h"), (5400.0, "90m")]
)
def test_a_wait_is_told_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert Duration.of_seconds(seconds) == text


@given(st.floats(min_value=0.0, max_value=1e6))
def test_a_latency_is_told_to_a_tenth_of_a_millisecond(milliseconds: float) -> None:
    # Half a tenth by rounding, and as much again is allowed for the binary fraction.
    assert Duration.accept(Duration.of_ms(milliseconds)).milliseconds == pytest.approx(milliseconds, abs=0.0501)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (2, 2.0),
        ("500m", 0.5),
        ("1.5", 1.5),
        ("16Gi", 16 * 1024.0**3),
        ("1Ki", 1024.0),
        ("2M", 2e6),
        ("3k", 3000.0),
        ("1P", 1e15),
    ],
)
def test_a_quantity_is_read_in_its_base_unit(value: object, amount: float) -> None:
    assert Quantity.accept(value).amount == amount


@pytest.mark.parametrize("value", [True, 0.5, -1, "-1", "16GB", "", "1 Gi", None])
def test_what_is_no_quantity_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="write a quantity"):
        Quantity.accept(value)


def test_quantities_are_told_as_people_read_them() -> None:
    assert Quantity.of("memory", 12.25 * 1024**3) == "12.3Gi"
    assert Quantity.of("cpu", 23.5) == "23.5"
    assert Quantity.of("nvidia.com/gpu", 4.0) == "4"


def test_money_keeps_its_cents() -> None:
    assert Money.of(12.5) == "12.50"
    assert Money.of(0.0004, places=4) == "0.0004"
    assert Money.of(-0.001) == "0.00"
    assert Money.accept("12.50").usd == 12.5


def test_a_decimal_has_no_trailing_zeros_and_no_exponent() -> None:
    assert DecimalText.of(1200.0) == "1200"
    assert DecimalText.of(0.25) == "0.25"
    assert DecimalText.of(1e-9) == "0"
    assert DecimalText.of(-3.0) == "0"


@pytest.mark.parametrize("value", [1e12, 1e40, float("inf")])
def test_what_no_digits_hold_is_cut_off_and_costs_no_status(value: float) -> None:
    assert DecimalText.accept(DecimalText.of(value)).value == 999_999_999_999.0
    assert Money.accept(Money.of(value)).usd == 999_999_999_999.0
    assert Duration.accept(Duration.of_ms(value)).milliseconds == 999_999_999.9


@given(st.floats(min_value=0.0, max_value=1e9))
def test_every_decimal_written_can_be_read(value: float) -> None:
    # Rounded to three places: half a thousandth, plus what a double cannot tell apart.
    assert DecimalText.accept(DecimalText.of(value)).value == pytest.approx(value, abs=0.000501)


def test_a_moment_goes_to_the_wire_and_back_to_the_second() -> None:
    assert Timestamp.of(1000.9) == "1970-01-01T00:16:40Z"
    assert Timestamp.accept("1970-01-01T00:16:40Z").seconds == 1000.0
    assert Timestamp.accept("1970-01-01T01:16:40.500000+01:00").seconds == 1000.5


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "now"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="write a time such as"):
        Timestamp.accept(text)
