"""Fields that take a value of their own type only, as the OpenAPI document says."""

from typing import Any

from rest_framework import serializers


class TextField(serializers.CharField):
    """Text: a number is refused, and not made text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    """A number: digits in a text are refused, and not read."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
