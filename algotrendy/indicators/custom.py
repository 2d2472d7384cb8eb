"""`@indicator`: a user's own function, usable in expressions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.indicators.registry import BAR_COLUMNS, IndicatorSpec, Lookback, ParameterInfo, bind, register

_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def indicator(function: _Function) -> _Function: ...


@overload
def indicator(
    function: None = None,
    *,
    name: str | None = None,
    inputs: Sequence[str] | None = None,
    unit: str = "same",
    scale: str = "value",
    lookback: int | Lookback | None = None,
) -> Callable[[_Function], _Function]: ...


def indicator(
    function: Any = None,
    *,
    name: str | None = None,
    inputs: Sequence[str] | None = None,
    unit: str = "same",
    scale: str = "value",
    lookback: int | Lookback | None = None,
) -> Any:
    """Make a function from arrays to an array callable in expressions. The function itself is unchanged.

    Leading arguments named `open`, `high`, `low`, `close` or `volume` are taken from the bars. If the first argument
    has another name, it is a series: any numeric expression. What follows are parameters: numbers, in the order in
    which an expression gives them. The function sees read-only float64 arrays, oldest first, and returns as many
    numbers; NaN says "not known yet". It must not use later elements for an earlier result.

    Parameters
    ----------
    function : callable
        The function, when used without brackets.
    name : str, optional
        Name in expressions; that of the function by default. The same name again replaces it.
    inputs : sequence of str, optional
        Names of the series among the arguments, when the rule above does not find them.
    unit : {"same", "price", "index", "ratio", "volume"}
        What the numbers are; `same` as the input.
    scale : str
        The magnitude against which ties are decided: "value", "input", "price" or a number as text.
    lookback : int or callable, optional
        Bars before the first value, or a function from the parameters to it. By default it is what the leading
        NaN of the result say.

    Returns
    -------
    callable
        The function as it was.

    Raises
    ------
    InputError
        If the name is taken by a built-in indicator, or the signature has `*args` or `**kwargs`. Later, when an
        expression calls it: if the result is not as long as the input, not one-dimensional or not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> @indicator
    ... def gain_since(x, window=5):
    ...     out = np.full(x.size, np.nan)
    ...     out[window:] = x[window:] / x[:-window] - 1.0
    ...     return out
    >>> from algotrendy.indicators.registry import lookup
    >>> lookup("gain_since").compute(np.array([1.0, 2.0, 3.0]), window=1).tolist()
    [nan, 1.0, 0.5]
    """
    if function is None:
        return functools.partial(indicator, name=name, inputs=inputs, unit=unit, scale=scale, lookback=lookback)
    if not callable(function):
        raise InputError(f"indicator expects a function, found {type(function).__name__}; options go by keyword")
    label: str = name or str(getattr(function, "__name__", ""))
    series, parameters = _split_signature(function, label, inputs)
    spec = IndicatorSpec(
        name=label,
        inputs=series,
        parameters=parameters,
        unit=unit,
        scale=scale,
        lookback=_as_lookback(label, lookback),
        function=_checked(function, label, parameters),
        description=(inspect.getdoc(function) or "a user's indicator").splitlines()[0],
        group=label,
    )
    register(spec)
    return function


def _split_signature(
    function: Callable[..., Any], label: str, inputs: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[ParameterInfo, ...]]:
    """Return the names of the series and the parameters after them."""
    arguments = list(inspect.signature(function, eval_str=False).parameters.values())
    for argument in arguments:
        if argument.kind in {argument.VAR_POSITIONAL, argument.VAR_KEYWORD}:
            raise InputError(f"indicator {label!r}: `*{argument.name}` has no name in an expression; spell it out")
    if inputs is None:
        count = 0 if not arguments or arguments[0].name in BAR_COLUMNS else 1
        while count < len(arguments) and arguments[count].name in BAR_COLUMNS:
            count += 1
    else:
        count = len(inputs)
        if [argument.name for argument in arguments[:count]] != list(inputs):
            raise InputError(f"indicator {label!r}: `inputs` {list(inputs)} are not its first arguments")
    if count == 0:
        raise InputError(f"indicator {label!r} takes no series; its first argument must be one, e.g. `close` or `x`")
    series = tuple(argument.name for argument in arguments[:count])
    return series, tuple(_parameter_info(argument, label) for argument in arguments[count:])


def _parameter_info(argument: inspect.Parameter, label: str) -> ParameterInfo:
    default = None if argument.default is argument.empty else argument.default
    number = isinstance(default, int | float) and not isinstance(default, bool)
    if default is not None and not number:
        raise InputError(f"indicator {label!r}: the default of `{argument.name}` is {default!r}; expected a number")
    annotation = argument.annotation
    if annotation in {int, "int"}:
        return ParameterInfo(argument.name, int, default)
    if annotation in {float, "float"} or isinstance(default, float):
        return ParameterInfo(argument.name, float, default)
    if default is not None:
        return ParameterInfo(argument.name, int, default)
    return ParameterInfo(argument.name, float, None, keeps_whole=True)


def _as_lookback(label: str, lookback: int | Lookback | None) -> Lookback:
    if lookback is None:
        return lambda _parameters: 0
    if callable(lookback):
        return lookback
    bars = int(ParameterInfo("lookback", int, minimum=0).check(lookback, f"indicator {label!r}"))
    return lambda _parameters: bars


def _checked(function: Callable[..., Any], label: str, parameters: tuple[ParameterInfo, ...]) -> Callable[..., Float1D]:
    """Return the function with its parameters checked before and its result after the call."""

    @functools.wraps(function)
    def compute(*inputs: Float1D, **values: float) -> Float1D:
        arrays = []
        for series in inputs:
            view = np.asarray(series, dtype=np.float64).view()
            view.flags.writeable = False  # the bars are shared: a function that writes to them must fail
            arrays.append(view)
        return _as_result(function(*arrays, **bind(label, parameters, values)), label, arrays[0].size)

    return compute


def _as_result(result: Any, label: str, size: int) -> Float1D:
    array = np.asarray(result)
    if array.ndim != 1 or array.size != size:
        raise InputError(
            f"indicator {label!r} returned shape {array.shape} for {size} bars; "
            "return one number per bar, NaN where there is none yet"
        )
    if array.dtype.kind not in "fiub":
        raise InputError(f"indicator {label!r} returned {array.dtype}; return float numbers")
    return np.ascontiguousarray(array, dtype=np.float64)
