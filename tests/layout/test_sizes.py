"""Nothing grows too long to be read in one go: functions, files, lists of parameters."""

from __future__ import annotations

import ast
from typing import Any

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 600
POSITIONAL_MAX = 5

_NO_TUPLES = "called by its address, as C calls"
_BY_NAME = "the names of ctx.buy; Numba knows no parameter by name alone"
MANY_POSITIONAL: dict[str, str] = {
    "algotrendy/kernels/_moment.py::_moment": "one for each field, as Numba calls it",
    "algotrendy/kernels/portfolio_decided.py::entered": _NO_TUPLES,
    "algotrendy/kernels/portfolio_decided.py::left": _NO_TUPLES,
    "algotrendy/kernels/portfolio_decided.py::replaced": _NO_TUPLES,
    "algotrendy/kernels/portfolio_decided_walk.py::_enters.method": _BY_NAME,
    "algotrendy/kernels/portfolio_decided_walk.py::_enters.method.run": _BY_NAME,
}
"""Place of a function with more than five positional parameters, and why it is allowed to."""


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines from `def` to the end, less the docstring: a thorough docstring is no fault."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_no_function_is_longer_than_sixty_lines(sources: list[Any]) -> None:
    lengths = {place: _code_lines(function) for source in sources for place, function in source.functions()}
    assert {place: lines for place, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_no_file_is_longer_than_six_hundred_lines(sources: list[Any]) -> None:
    lengths = {source.name: source.text.count("\n") for source in sources}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_takes_more_than_five_positional_parameters(sources: list[Any]) -> None:
    counts = {}
    for source in sources:
        for place, function in source.functions():
            names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
            counts[place] = len([name for name in names if name not in ("self", "cls")])
    too_many = {place: count for place, count in counts.items() if count > POSITIONAL_MAX}
    assert {place: count for place, count in too_many.items() if place not in MANY_POSITIONAL} == {}
    assert set(MANY_POSITIONAL) <= set(too_many), "an exception that is not needed any more"
