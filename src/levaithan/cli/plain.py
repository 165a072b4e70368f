"""Reads option values without pydantic, which Typer loads for each of them: 150 ms of a 50 ms question.

Typer makes a parameter's converter when its first value arrives and keeps it; for texts and numbers this gives it a
plain one. Where a version of Typer has no such place nothing happens but the slower start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

import typer

if TYPE_CHECKING:
    from collections.abc import Callable


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

    __slots__ = ("build",)

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self.build = build

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as Typer converts it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        param._runtime_param = None
        return self.build(param).coerce(value, param=param, ctx=ctx)


def install() -> bool:
    """Put the plain converters in the place where Typer makes its own. False when this Typer has no such place."""
    from typer import core

    owner: Any = getattr(core, "_TyperParameter", None)
    build = getattr(owner, "get_runtime_param", None)
    if build is None or isinstance(build, _Installed):
        return build is not None
    owner.get_runtime_param = _Installed(build)
    return True


class _Installed:
    """The method that replaces Typer's; a class, so that it is known again and never put there twice."""

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self.build = build

    def __get__(self, param: Any, owner: Any = None) -> Any:
        return self if param is None else lambda: self.converter(param)

    def converter(self, param: Any) -> Any:
        """The converter of `param`, made when first needed and kept as Typer keeps its own."""
        if param._runtime_param is None:
            kind = param.type_descriptor.annotation
            if get_origin(kind) is list:
                kind = get_args(kind)[0]
            info = param.type_descriptor.parameter_info
            plain = kind in (str, int) and info.parser is None
            param._runtime_param = PlainParam(kind, info.min, info.max) if plain else DeferredParam(self.build)
        return param._runtime_param
