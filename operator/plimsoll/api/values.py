"""The scalar texts of the wire format: what does ``800ms``, ``"12.50"``, ``16Gi`` or a timestamp mean?

In: text as it stands in a manifest. Out: string types that remember how they were written (what is read is written back
unchanged) and know their value in the units of ``domain``: seconds, milliseconds, US dollars, cores, bytes.
This is the only place that parses them. Design section 2.
"""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class WireText(str):
    """A string with a grammar: refuses anything else with a sentence that says what to write instead."""

    __slots__ = ()
    pattern: ClassVar[str]
    max_length: ClassVar[int]
    hint: ClassVar[str]

    @classmethod
    def accept(cls, value: object) -> Self:
        """The value as this type; raises PydanticCustomError with the type's hint."""
        if isinstance(value, str) and len(value) <= cls.max_length and re.fullmatch(cls.pattern, value):
            return cls(value)
        raise PydanticCustomError("wire_text", "{hint}", {"hint": cls.hint})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.accept, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": cls.pattern, "maxLength": cls.max_length}


_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MOST_MS = 999_999_999.9
"""What nine digits hold, eleven days: a latency of an overloaded variant can be predicted to be any number."""
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


class Duration(WireText):
    """A length of time with its unit, as Go and CEL write it: ``800ms``, ``30s``, ``5m``, ``1h30m``."""

    __slots__ = ()
    pattern = r"^([0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h)){1,4}$"
    max_length = 32
    hint = "write a duration with its unit, such as 800ms, 30s, 5m or 1h"

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1000.0

    @property
    def milliseconds(self) -> float:
        # Through Decimal, so that 0.1s is 100 ms and not 100.00000000000001.
        parts = _DURATION_PART.findall(self)
        return float(sum(Decimal(number) * Decimal(str(_SECONDS_PER_UNIT[unit])) * 1000 for number, unit in parts))

    @classmethod
    def of_ms(cls, milliseconds: float) -> Self:
        """The duration in milliseconds, to one decimal: how latencies are told."""
        return cls(f"{decimal_text(min(milliseconds, _MOST_MS), places=1)}ms")

    @classmethod
    def of_seconds(cls, seconds: float) -> Self:
        """The duration in the largest unit that leaves a whole number, else in seconds: how waits are told."""
        for unit in ("h", "m", "s"):
            count = seconds / _SECONDS_PER_UNIT[unit]
            if count >= 1.0 and count.is_integer():
                return cls(f"{count:.0f}{unit}")
        return cls(f"{decimal_text(seconds, places=3)}s")


class LatencyLimit(Duration):
    """A duration that a latency must not exceed; zero would refuse every request."""

    __slots__ = ()
    hint = "write a duration such as 80ms"
    zero_hint: ClassVar[str] = "write a duration above zero, such as 80ms"

    @classmethod
    def accept(cls, value: object) -> Self:
        limit = super().accept(value)
        if limit.milliseconds > 0.0:
            return limit
        raise PydanticCustomError("wire_text", "{hint}", {"hint": cls.zero_hint})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # One digit other than zero anywhere is what "above zero" looks like; the server's regex has no look-ahead.
        rule = {"rule": "self.matches('[1-9]')", "message": cls.zero_hint}
        return {**super().__get_pydantic_json_schema__(schema, handler), "x-kubernetes-validations": [rule]}


class DecimalText(WireText):
    """A number that is not negative, as a decimal string: JSON numbers come back changed from some clients."""

    __slots__ = ()
    pattern = r"^[0-9]{1,12}(\.[0-9]{1,9})?$"
    max_length = 22
    hint = 'write a decimal number in quotes, such as "12.5"'

    @property
    def value(self) -> float:
        return float(self)

    @classmethod
    def of(cls, value: float, places: int = 3) -> Self:
        """The number rounded half up to so many places, without trailing zeros; cut off at 0 and at twelve digits."""
        return cls(decimal_text(_within_digits(value), places))


class Money(DecimalText):
    """An amount of US dollars as a decimal string: ``"12.50"``."""

    __slots__ = ()
    hint = 'write US dollars as a decimal number in quotes, such as "12.50"'

    @property
    def usd(self) -> float:
        return self.value

    @classmethod
    def of(cls, value: float, places: int = 2) -> Self:
        """The amount rounded half up, with all its places: ``12.5`` reads ``12.50``."""
        return cls(str(Decimal(repr(_within_digits(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)))


def _within_digits(value: float) -> float:
    return min(max(value, 0.0), 999_999_999_999.0)


_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|Mi|Gi|Ti|Pi|M|G|T|P)?")
_MULTIPLIER: dict[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P"), start=1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), start=1)},
}


class Quantity(WireText):
    """An amount of a resource as Kubernetes writes it: ``2``, ``500m``, ``16Gi``. A plain integer is taken too."""

    __slots__ = ()
    pattern = r"^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|Ki|Mi|Gi|Ti|Pi|M|G|T|P)?$"
    max_length = 32
    hint = 'write a quantity such as 2, "500m" or 16Gi (fractions in quotes)'

    @property
    def amount(self) -> float:
        """In the base unit: cores of cpu, bytes of memory, whole devices."""
        match = _QUANTITY.fullmatch(self)
        assert match is not None, f"{self!r} passed the pattern"
        return float(Decimal(match[1]) * _MULTIPLIER[match[2] or ""])

    @classmethod
    def accept(cls, value: object) -> Self:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return super().accept(str(value) if whole else value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"x-kubernetes-int-or-string": True, "pattern": cls.pattern}

    @classmethod
    def of(cls, resource: str, amount: float) -> Self:
        """The amount as people read it: memory in GiB to one decimal, all else to three decimals."""
        if resource == "memory" or resource.endswith("storage"):
            return cls(f"{decimal_text(amount / 1024**3, places=1)}Gi")
        return cls(decimal_text(amount, places=3))


class Timestamp(WireText):
    """A moment in UTC, to the second, as RFC 3339 writes it: ``2026-08-01T12:00:00Z``."""

    __slots__ = ()
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
    max_length = 40
    hint = "write a time such as 2026-08-01T12:00:00Z"

    @classmethod
    def accept(cls, value: object) -> Self:
        moment = super().accept(value)
        try:
            datetime.fromisoformat(moment)
        except ValueError:
            raise PydanticCustomError("wire_text", "{hint}", {"hint": cls.hint}) from None
        return moment

    @property
    def seconds(self) -> float:
        """Since the epoch."""
        return datetime.fromisoformat(self).timestamp()

    @classmethod
    def of(cls, seconds: float) -> Self:
        """The moment so many seconds after the epoch."""
        return cls(datetime.fromtimestamp(int(seconds), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


class CalendarDate(WireText):
    """A day: ``2026-08-01``."""

    __slots__ = ()
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
    max_length = 10
    hint = "write a date such as 2026-08-01"


def decimal_text(value: float, places: int) -> str:
    """The number rounded half up to so many decimal places, without exponent and without trailing zeros."""
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
