"""A strategy that is asked at the end of every bar, and remembers: orders, positions and indicators as they come."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from algotrendy.errors import InputError
from algotrendy.strategy.parameter import (
    OPTIONS,
    ParameterSpec,
    check_number,
    is_number,
    nearest,
    plain_number,
)

if TYPE_CHECKING:
    from algotrendy.strategy.bar_context import BarContext

__all__ = ["BarStrategy"]

_TEXTS = ("name", "description")


class BarStrategy:
    """Base of strategies that are asked at the end of every bar: write a subclass with `on_bar`.

    Class attributes that are numbers, or a `ParameterSpec`, are its parameters: keywords of the constructor, and names
    that a sweep may vary. Whatever else it keeps on `self` is its state. Every run works on a copy of its own, so the
    object that was handed over never changes, and running twice gives the same.

    Parameters
    ----------
    **parameters : float
        Values in place of those of the class.

    Raises
    ------
    InputError
        If there is no such parameter (the nearest is proposed), a value is not allowed, or there is no `on_bar`.

    Attributes
    ----------
    name, description : str or None
        For people to read; the name of the class by default.

    See Also
    --------
    algotrendy.strategy.BarContext : what `ctx` is.

    Examples
    --------
    >>> import algotrendy as at
    >>> class Dip(BarStrategy):
    ...     window = 20
    ...     drop = 0.02
    ...     def start(self, ctx):
    ...         self.average = ctx.indicator("sma", self.window)
    ...     def on_bar(self, ctx):
    ...         if not ctx.position() and ctx.bar.close < self.average.value * (1 - self.drop):
    ...             ctx.buy(size=1.0, stop_price=ctx.bar.close * 0.95)
    ...         elif ctx.position() and ctx.bar.close > self.average.value:
    ...             ctx.close()
    >>> bars = at.synthetic(n=500, seed=1)
    >>> at.backtest(Dip(drop=0.01), bars).metrics["n_trades"] > 0
    True
    >>> Dip(dropp=0.01)
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: there is no parameter 'dropp'; did you mean 'drop'?
    """

    name: str | None = None
    description: str | None = None

    _defaults: ClassVar[Mapping[str, Any]] = {}
    _specs: ClassVar[Mapping[str, ParameterSpec]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        defaults, specs = dict(cls._defaults), dict(cls._specs)
        for key, value in vars(cls).items():
            if key.startswith("_") or key in _TEXTS:
                continue
            specs.pop(key, None)  # a subclass says it anew
            defaults.pop(key, None)
            if isinstance(value, ParameterSpec):
                specs[key], defaults[key] = _checked_spec(cls.__name__, key, value), value.default
            elif is_number(value):
                defaults[key] = check_number(key, value)
            if key in defaults and key in OPTIONS:
                raise InputError(
                    f"parameter {key!r} of {cls.__name__} collides with the option {key!r} of a backtest; choose"
                    f" another name, such as '{key}_value'"
                )
        cls._defaults, cls._specs = defaults, specs

    def __init__(self, **parameters: Any) -> None:
        if type(self).on_bar is BarStrategy.on_bar:
            raise InputError(
                f"{type(self).__name__} has no on_bar(self, ctx); write one: it is called at the end of every bar"
            )
        for key, value in self._defaults.items():
            setattr(self, key, value)
        self._set(parameters)

    # --- what a subclass writes ---

    def start(self, ctx: BarContext) -> None:
        """Prepare: called once before the first bar, when nothing is known and no order can be placed.

        The place for `self.average = ctx.indicator("sma", 20)`.
        """

    def observe(self, ctx: BarContext) -> None:
        """Take note of a bar: called at the end of each one, before `on_bar`, and without it where nothing is traded.

        That is so at the bars before a testing window of a walk-forward, which are there to warm up. Indicators are fed
        anyway; whatever else has to know them is kept here. No order can be placed.
        """

    def on_bar(self, ctx: BarContext) -> None:
        """Decide: called at the end of each bar, of any instrument where there are several."""

    def take_over(self, ctx: BarContext, before: BarStrategy | None) -> None:
        """Take over an account from other values of the parameters: called before the first `on_bar` of a new window.

        That is so in a walk-forward with `carry=True`. Position, cash and open orders (`ctx.orders`) are as they were;
        what the strategy before kept for itself can be read off `before`, such as an order that has to be moved later.
        No order can be placed.

        Parameters
        ----------
        ctx : BarContext
            As in `on_bar`.
        before : BarStrategy or None
            What decided so far; None if no values were chosen for the window before.
        """

    # --- parameters ---

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and values of the parameters."""
        return {key: getattr(self, key) for key in self._defaults}

    @property
    def specs(self) -> Mapping[str, ParameterSpec]:
        """What is known of the parameters that have a `ParameterSpec`."""
        return dict(self._specs)

    @property
    def numbers(self) -> dict[str, int | float]:
        """The parameters that are numbers."""
        return {key: plain_number(value) for key, value in self.parameters.items() if is_number(value)}

    def with_params(self, **values: Any) -> BarStrategy:
        """Return a copy with other values of parameters.

        Raises
        ------
        InputError
            If there is no such parameter (the nearest is proposed), or a value is not allowed.
        """
        result = self.fresh()
        result._set(values)
        return result

    def fresh(self) -> BarStrategy:
        """Return a copy that shares nothing with this object.

        Raises
        ------
        InputError
            If something that it holds cannot be copied.
        """
        try:
            return copy.deepcopy(self)
        except TypeError as error:
            raise InputError(
                f"{type(self).__name__} holds something that cannot be copied ({error}), and every run works on a copy;"
                " open it in start(), or keep it in a module"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Return a description in plain values: it says which class ran, but does not bring it back."""
        kind = type(self)
        return {
            "kind": "stateful",
            "name": self.name or kind.__name__,
            "description": self.description,
            "function": f"{kind.__module__}.{kind.__qualname__}",
            "params": self.parameters,
        }

    def _set(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key not in self._defaults:
                known = f"{nearest(key, self._defaults)}" if self._defaults else f"; {type(self).__name__} has none"
                raise InputError(f"there is no parameter {key!r}{known}")
            setattr(self, key, self._specs[key].check(value) if key in self._specs else check_number(key, value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.parameters.items())})"


def _checked_spec(owner: str, key: str, spec: ParameterSpec) -> ParameterSpec:
    if spec.name != key:
        raise InputError(f"{owner}.{key} has a spec for {spec.name!r}; the two names must be the same")
    if spec.default is None:
        raise InputError(f"{owner}.{key} has a spec without a default; give default=... so that it has a value")
    return spec
