"""Parameters that several indicators share, and how a specification of a built-in indicator is put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from algotrendy.indicators._batch import Batch
from algotrendy.indicators.registry import IndicatorSpec, Lookback, ParameterInfo


def window(default: int | None = None, name: str = "window") -> ParameterInfo:
    """Return a number of bars, at least 1."""
    return ParameterInfo(name, int, default, minimum=1)


def factor(name: str, default: float) -> ParameterInfo:
    """Return a factor, zero or more."""
    return ParameterInfo(name, float, default, minimum=0)


def spec(
    batch: Batch,
    *,
    inputs: tuple[str, ...] = ("x",),
    unit: str,
    scale: str,
    description: str,
    stream: Callable[..., Any],
) -> IndicatorSpec:
    """Return the specification of an indicator with one output."""
    return IndicatorSpec(
        name=batch.name,
        inputs=inputs,
        parameters=batch.parameters,
        unit=unit,
        scale=scale,
        lookback=batch.lookback,
        function=batch,
        description=description,
        group=batch.name,
        outputs=batch.outputs,
        stream=stream,
    )


def member(whole: IndicatorSpec, name: str, output: int, lookback: Lookback, **changes: Any) -> IndicatorSpec:
    """Return the specification of one output of a group."""
    return replace(whole, name=name, output=output, lookback=lookback, **changes)
