"""The evaluator of conditions equals a slow one that is written from the semantics: bar by bar, value by value.

The reference here shares nothing with the package but the arithmetic of float64. It works on trees of tuples that are
drawn at random; their text goes through the parser, the plan and the kernel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.domain.bars import BarArrays
from algotrendy.expressions import SignalPlan, evaluate, evaluate_condition, parse
from algotrendy.expressions.series import Evaluator
from algotrendy.kernels.conditions import evaluate_conditions

PARAMETERS = {"p": 2.0, "q": 0.1, "n": 3}

# --- the reference: None is unknown ---------------------------------------------------------------------------------


def known(x: float | None) -> float | None:
    return x if x is not None and math.isfinite(x) else None


def divide(x: float, y: float) -> float:
    return x / y if y != 0.0 else math.nan


def bigger(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else max(abs(x), abs(y))


def finite(x: float) -> float:
    return x if math.isfinite(x) else math.nan


class Number:
    """A value per bar and, unless the value is its own scale, a scale per bar; scalars are lists of equal values."""

    def __init__(self, values: list[float | None], scales: list[float] | None = None, *, scalar: bool = False) -> None:
        self.values, self.scales, self.scalar = [known(x) for x in values], scales, scalar

    def scale(self, i: int) -> float:
        value = self.values[i]
        own = math.nan if value is None else value
        return own if self.scales is None else self.scales[i]


def product(x: float, y: float) -> float:
    return finite(x * y)


def scale_of(op: str, a: Number, b: Number, i: int) -> float:
    x, y, sx, sy = a.values[i], b.values[i], a.scale(i), b.scale(i)
    x, y = (math.nan if v is None else v for v in (x, y))
    if op == "*":
        if b.scales is None:
            return product(sx, y)
        if a.scales is None:
            return product(sy, x)
        return bigger(product(sx, y), product(sy, x))
    if op == "/":
        first = finite(divide(sx, y))
        if b.scales is None:
            return first
        second = finite(divide(product(x, sy), product(y, y)))
        return second if a.scales is None else bigger(first, second)
    return bigger(sx, sy)


def arithmetic(op: str, a: Number, b: Number) -> Number:
    values: list[float | None] = []
    for x, y in zip(a.values, b.values, strict=True):
        if x is None or y is None:
            values.append(None)
        elif op == "+":
            values.append(known(x + y))
        elif op == "-":
            values.append(known(x - y))
        elif op == "*":
            values.append(known(x * y))
        elif op == "/":
            values.append(known(divide(x, y)))
        else:
            values.append(min(x, y) if op == "min" else max(x, y))
    scalar = a.scalar and b.scalar
    if scalar:
        if op in {"+", "-"}:
            pairs = zip(values, a.values, b.values, strict=True)
            values = [0.0 if v is not None and abs(v) <= 1e-12 * bigger(x, y) else v for v, x, y in pairs]
        return Number(values, scalar=True)
    plain = a.scales is None and b.scales is None
    if op in {"*", "/", "min", "max"} and plain:
        return Number(values)
    return Number(values, [scale_of(op, a, b, i) for i in range(len(values))])


def number(tree: Any, columns: dict[str, list[float]], n: int) -> Number:
    kind = tree[0]
    if kind == "column":
        return Number(list(columns[tree[1]]))
    if kind == "literal":
        return Number([tree[1]] * n, scalar=True)
    if kind == "parameter":
        return Number([PARAMETERS[tree[1]]] * n, scalar=True)
    if kind == "negative":
        return arithmetic("*", number(tree[1], columns, n), Number([-1.0] * n, scalar=True))
    if kind == "abs":
        inner = number(tree[1], columns, n)
        return Number([None if x is None else abs(x) for x in inner.values], inner.scales, scalar=inner.scalar)
    if kind == "prev":
        inner, count = number(tree[1], columns, n), tree[2]
        values = [inner.values[i - count] if i >= count else None for i in range(n)]
        scales = (
            None if inner.scales is None else [inner.scale(i - count) if i >= count else math.nan for i in range(n)]
        )
        return Number(values, scales)
    return arithmetic(kind, number(tree[1], columns, n), number(tree[2], columns, n))


def greater(a: Number, b: Number, n: int) -> list[bool | None]:
    result: list[bool | None] = []
    for i in range(n):
        x, y = a.values[i], b.values[i]
        scale = b.scale(i) if a.scales is None else bigger(a.scale(i), b.scale(i))
        if x is None or y is None or math.isnan(scale):
            result.append(None)
        else:
            result.append(x > y + 1e-12 * abs(scale))
    return result


def negation(truth: list[bool | None]) -> list[bool | None]:
    return [None if x is None else not x for x in truth]


def both(a: list[bool | None], b: list[bool | None]) -> list[bool | None]:
    return [
        False if x is False or y is False else (None if x is None or y is None else True)
        for x, y in zip(a, b, strict=True)
    ]


def crossing(a: list[bool | None]) -> list[bool | None]:
    before = [None, *a[:-1]]
    return [None if x is None or y is None else (x and not y) for x, y in zip(a, before, strict=True)]


def condition(tree: Any, columns: dict[str, list[float]], n: int) -> list[bool | None]:
    kind = tree[0]
    if kind in {"true", "false"}:
        return [kind == "true"] * n
    if kind == "not":
        return negation(condition(tree[1], columns, n))
    if kind == "and":
        return both(condition(tree[1], columns, n), condition(tree[2], columns, n))
    if kind == "or":
        left, right = condition(tree[1], columns, n), condition(tree[2], columns, n)
        return negation(both(negation(left), negation(right)))
    if kind == "before":
        inner, count = condition(tree[1], columns, n), tree[2]
        return [inner[i - count] if i >= count else None for i in range(n)]
    a, b = number(tree[1], columns, n), number(tree[2], columns, n)
    above, below = greater(a, b, n), greater(b, a, n)
    same = both(negation(above), negation(below))
    return {
        ">": above,
        "<": below,
        ">=": negation(below),
        "<=": negation(above),
        "==": same,
        "!=": negation(same),
        "crosses_above": crossing(above),
        "crosses_below": crossing(below),
    }[kind]


# --- random expressions ---------------------------------------------------------------------------------------------


def text_of(tree: Any) -> str:
    kind = tree[0]
    if kind in {"column", "parameter"}:
        return str(tree[1])
    if kind == "literal":
        return repr(tree[1])
    if kind in {"true", "false"}:
        return str(kind)
    if kind == "negative":
        return f"(-{text_of(tree[1])})"
    if kind in {"abs", "crosses_above", "crosses_below", "min", "max"}:
        return f"{kind}({', '.join(text_of(part) for part in tree[1:])})"
    if kind in {"prev", "before"}:
        return f"prev({text_of(tree[1])}, {tree[2]})"
    if kind == "not":
        return f"(not {text_of(tree[1])})"
    return f"({text_of(tree[1])} {kind} {text_of(tree[2])})"


def is_series(tree: Any) -> bool:
    return tree[0] == "column" or any(isinstance(part, tuple) and is_series(part) for part in tree[1:])


literals = st.sampled_from([0.0, 1.0, 2.0, 0.1, 0.3, 3.0, 1e-300, 1e300])
leaves = st.one_of(
    st.tuples(st.just("column"), st.sampled_from(["open", "high", "low", "close"])),
    st.tuples(st.just("column"), st.sampled_from(["open", "high", "low", "close"])),
    st.tuples(st.just("literal"), literals),
    st.tuples(st.just("parameter"), st.sampled_from(sorted(PARAMETERS))),
)


def _grow(inner: Any) -> Any:
    return st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "min", "max"]), inner, inner),
        st.tuples(st.sampled_from(["abs", "negative"]), inner),
        st.tuples(st.just("prev"), inner.filter(is_series), st.integers(0, 70)),
    )


numbers = st.recursive(leaves, _grow, max_leaves=6)
comparisons = st.one_of(
    st.tuples(st.sampled_from([">", "<", ">=", "<=", "==", "!=", "crosses_above", "crosses_below"]), numbers, numbers),
    st.tuples(st.sampled_from(["true", "false"])),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("before"), inner, st.integers(0, 130)),
    ),
    max_leaves=5,
)


@st.composite
def bar_columns(draw: st.DrawFn) -> dict[str, list[float]]:
    """Few distinct values, so that ties, crossings and gaps are common; some ties only up to rounding."""
    n = draw(st.one_of(st.integers(1, 12), st.sampled_from([63, 64, 65, 127, 128, 200])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = np.array([0.1 + 0.2, 0.3, 1.0, 1.0 + 2e-16, 2.0, -2.0, 0.0, math.nan, 1e300])
    weights = np.array([3, 3, 3, 3, 3, 1, 1, draw(st.sampled_from([0, 1])), draw(st.sampled_from([0, 1]))], float)
    return {
        name: rng.choice(values, size=n, p=weights / weights.sum()).tolist()
        for name in ("open", "high", "low", "close")
    }


def bars_of(columns: dict[str, list[float]]) -> BarArrays:
    arrays = [np.array(columns[name]) for name in ("open", "high", "low", "close")]
    return BarArrays(*arrays, volume=np.ones(arrays[0].size))


def bits(words: Any, n: int) -> list[bool]:
    return [bool(words[i // 64] >> np.uint64(i % 64) & np.uint64(1)) for i in range(n)]


@given(tree=conditions, columns=bar_columns())
def test_truth_and_its_knowledge_equal_the_reference(tree: Any, columns: dict[str, list[float]]) -> None:
    n = len(columns["close"])
    truth = evaluate_condition(parse(text_of(tree), parameters=PARAMETERS), bars_of(columns), PARAMETERS)
    found = [bool(t) if k else None for t, k in zip(truth.true, truth.known, strict=True)]
    assert found == condition(tree, columns, n)


@given(
    trees=st.lists(st.one_of(conditions, st.none()), min_size=1, max_size=4), columns=bar_columns(), hoist=st.booleans()
)
def test_compiled_evaluator_gives_the_bits_of_the_reference_in_every_block(
    trees: list[Any], columns: dict[str, list[float]], hoist: bool
) -> None:
    n, bars = len(columns["close"]), bars_of(columns)
    texts = [None if tree is None else parse(text_of(tree), parameters=PARAMETERS) for tree in trees]
    plan = SignalPlan(texts, varying=("p", "q") if hoist else ())
    scratch = plan.scratch(n, block=64)
    for p in (7.0, 2.0, 2.0):  # nothing of an earlier combination may stay behind
        evaluator = Evaluator(bars, PARAMETERS | {"p": p})
        series = [plan.leaf_series(leaf, evaluator, n) for leaf in plan.leaves]
        addresses = np.array([each.ctypes.data for each in series], dtype=np.int64)
        scalars = plan.scalar_table(evaluator.values)[0]
        evaluate_conditions(plan.program, addresses, np.arange(len(series)), scalars, scratch)
    expected = [[False] * n if tree is None else [x is True for x in condition(tree, columns, n)] for tree in trees]
    assert [bits(row, n) for row in scratch.words[: len(trees)]] == expected
    tail = scratch.words[: len(trees), -1] >> np.uint64(n % 64) if n % 64 else np.zeros(1, np.uint64)
    assert not tail.any(), "bits beyond the last bar are zero"
    assert np.array_equal(plan.run(bars, PARAMETERS), scratch.words[: len(trees)])


@given(tree=numbers, columns=bar_columns())
def test_numbers_equal_the_reference(tree: Any, columns: dict[str, list[float]]) -> None:
    expected = number(tree, columns, len(columns["close"])).values
    found = evaluate(parse(text_of(tree), parameters=PARAMETERS), bars_of(columns), PARAMETERS)
    assert [None if math.isnan(x) else x for x in found.tolist()] == expected


@given(tree=conditions, columns=bar_columns(), kept=st.integers(1, 200))
def test_later_bars_never_change_earlier_truth(tree: Any, columns: dict[str, list[float]], kept: int) -> None:
    expression = parse(text_of(tree), parameters=PARAMETERS)
    whole = evaluate_condition(expression, bars_of(columns), PARAMETERS)
    early = evaluate_condition(expression, bars_of({name: x[:kept] for name, x in columns.items()}), PARAMETERS)
    assert np.array_equal(early.true, whole.true[:kept])
    assert np.array_equal(early.known, whole.known[:kept])


prices = st.lists(st.floats(0.01, 1e6), min_size=2, max_size=6)


@given(parts=prices, data=st.data())
def test_exact_ties_are_ties_in_every_spelling(parts: list[float], data: st.DataObject) -> None:
    """Two sums of the same prices in another order are equal, whatever their rounding."""
    a = np.array([math.fsum(parts) / len(parts)])
    b = np.array([sum(data.draw(st.permutations(parts))) / len(parts)])
    bars = BarArrays(open=a, high=b, low=a, close=b, volume=a)
    for text in (
        "high > open",
        "high - open > 0",
        "high / open > 1",
        "open < high",
        "0 < high - open",
        "open - high < 0",
        "(high - open) / open > 0",
        "3 * high > 3 * open",
        "high * 2 - open * 2 > 0",
        "high != open",
        "abs(high - open) > 0",
        "max(high, open) > min(high, open)",
        "100 * (high / open - 1) > 0",
    ):
        truth = evaluate_condition(parse(text), bars)
        assert truth.known[0], text
        assert not truth.true[0], text
    for text in ("high >= open", "high <= open", "high == open", "high - open == 0", "high / open == 1"):
        assert evaluate_condition(parse(text), bars).true[0], text


@given(x=st.floats(0.01, 1e6), step=st.floats(1e-9, 10.0))
def test_what_differs_is_told_apart_in_every_spelling(x: float, step: float) -> None:
    a, b = np.array([x]), np.array([x * (1.0 + step)])
    bars = BarArrays(open=a, high=b, low=a, close=b, volume=a)
    for text in ("high > open", "high - open > 0", "high / open > 1", "not (high <= open)", "high != open"):
        assert evaluate_condition(parse(text), bars).true[0], text


@pytest.mark.parametrize("text", ["close > 1", "not close > 1", "close == close", "not (close < 1 or close >= 1)"])
def test_nan_is_unknown_and_so_is_its_opposite(text: str) -> None:
    nan = np.array([math.nan])
    truth = evaluate_condition(parse(text), BarArrays(nan, nan, nan, nan, nan))
    assert not truth.true[0]
    assert not truth.known[0]


def test_false_and_unknown_is_false_but_true_and_unknown_is_unknown() -> None:
    bars = BarArrays(*[np.array([x]) for x in (1.0, 1.0, 1.0, math.nan, 1.0)])
    assert evaluate_condition(parse("open > 2 and close > 1"), bars).known[0]
    assert not evaluate_condition(parse("open > 0 and close > 1"), bars).known[0]
    assert evaluate_condition(parse("open > 0 or close > 1"), bars).true[0]
