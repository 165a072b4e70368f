"""Reads option values without pydantic, which Typer loads for each of them: 150 ms of a 50 ms question.

Typer makes a parameter's converter when its first value arrives and keeps it; for texts and numbers this puts a plain
one there first. Where a version of Typer has no such place nothing happens but the slower start.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

import typer


class PlainParam:
    """Texts, whole numbers and lists of texts, with the same messages' form as Typer's own."""

    __slots__ = ("kind", "least", "most")

    def __init__(self, kind: type, least: float | None, most: float | None) -> None:
        self.kind = kind
        self.least = least
        self.most = most

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of the right type. Raises typer.BadParameter."""
        if param.multiple or param.nargs == -1:
            return [self._one(item, param, ctx) for item in value or ()]
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        if self.kind is str:
            return str(value)
        try:
            number = int(value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is not a whole number.", ctx=ctx, param=param) from None
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            raise typer.BadParameter(f"{number} is not from {self.least} to {self.most}.", ctx=ctx, param=param)
        return number


class DeferredParam:
    """Any other kind: nothing to convert as long as nothing is given, else Typer's own converter after all."""

    __slots__ = ()

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as Typer converts it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def make_plain(command: Any) -> None:
    """Give every text and number of `command`, and of the commands below it, a plain converter."""
    for param in getattr(command, "params", ()):
        descriptor = getattr(param, "type_descriptor", None)
        if descriptor is None or not hasattr(param, "_runtime_param"):
            continue
        kind = descriptor.annotation
        if get_origin(kind) is list:
            kind = get_args(kind)[0]
        info = descriptor.parameter_info
        param._runtime_param = PlainParam(kind, info.min, info.max) if kind in (str, int) else DeferredParam()
    for below in getattr(command, "commands", {}).values():
        make_plain(below)
