"""Reading expressions: what they may say, and what the errors say about the rest."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions import BARS, Catalogue, Name, function_names, parse
from algotrendy.expressions.lexer import LENGTH_MAX
from algotrendy.expressions.nodes import Greater, Not
from algotrendy.expressions.parser import DEPTH_MAX, NESTING_MAX
from algotrendy.indicators import indicator, registry

MISTAKES = [
    # text, column (from 1), what the message must say
    ("", 1, "empty; write one such as close > sma(close, 20)"),
    ("   ", 1, "empty"),
    ("clsoe > 1", 1, "unknown name 'clsoe'; did you mean 'close'?"),
    ("close > smaa(close, 20)", 9, "unknown function 'smaa'; did you mean 'sma'?"),
    ("close > Sma(close, 20)", 9, "did you mean 'sma'"),
    ("close > fsat", 9, "did you mean 'fast'?"),
    ("close > wibble", 9, "a parameter gets its value in the call: wibble=20"),
    ("close >", 8, "found the end of the text"),
    ("close > > 1", 9, "found '>'"),
    ("sma(close, 20", 4, "never closed"),
    ("(close > 1", 1, "never closed"),
    ("close > 1)", 10, "never opened"),
    ("sma(close 20)", 11, "expected an operator after 'close', found '20'"),
    ("close > 1, 2", 10, "comma"),
    ("sma(close)", 1, "sma takes 2 arguments, found 1; write sma(close, window)"),
    ("sma(close, 20, 3)", 1, "sma takes 2 arguments, found 3"),
    ("sma(20)", 5, "expects a series here"),
    ("sma(close, open)", 12, "`window` of sma must be one number or parameter, found a series"),
    ("sma(close, 0)", 12, "`window` is 0; expected a whole number of at least 1"),
    ("sma(close, 20.5)", 12, "`window` is 20.5; expected a whole number"),
    ("sma(close, 4 * 2.5 + 0.5)", 12, "`window` is 10.5"),
    ("atr(close, 14)", 5, "atr takes high, low, close from the bars by itself; write atr(14)"),
    ("rsi > 30", 1, "'rsi' is a function; write rsi(close, 14)"),
    ("close > abs", 9, "'abs' is a function; write abs(x)"),
    ("close(1) > 2", 1, "'close' is a name, not a function"),
    ("fast(1) > 2", 1, "'fast' is a parameter, not a function"),
    ("1 < close < 3", 11, "comparisons cannot be chained; write `a < b and b < c`"),
    ("close and open > 1", 1, "`and` takes conditions, found a number; compare it"),
    ("not close", 5, "`not` takes conditions"),
    ("close > 1 + (open > 2)", 14, "`+` takes numbers, found a condition"),
    ("-(close > 1)", 3, "`-` takes numbers"),
    ("sma(close > 1, 20)", 5, "sma expects a number here, found a condition"),
    ("crosses_above(close)", 1, "crosses_above takes 2 arguments, found 1"),
    ("crosses_above(close > 1, open)", 15, "expects a number here, found a condition"),
    ("max(close)", 1, "max takes 2 or more arguments"),
    ("prev(close)", 1, "prev takes 2 arguments, found 1; write prev(close, 1)"),
    ("prev(close, -1)", 13, "that is the future"),
    ("prev(close, 0 - 1)", 13, "that is the future"),
    ("prev(close, 1.5)", 13, "expected a whole number"),
    ("prev(close, open)", 13, "one number of bars, found a series"),
    ("prev(3, 1)", 6, "prev expects a series or a condition first"),
    ("close = 1", 7, "to compare, write `==`"),
    ("sma(close, window=20)", 18, "arguments of a call go by position"),
    ("close := 1", 7, "nothing can be assigned"),
    ("close > 1 && open > 1", 11, "write `and`"),
    ("close > 1 & open > 1", 11, "write `and`"),
    ("close > 1 || open > 1", 11, "write `or`"),
    ("close > 1 | open > 1", 11, "write `or`"),
    ("!(close > 1)", 1, "write `not`"),
    ("~(close > 1)", 1, "write `not`"),
    ("close > 1 AND open > 1", 11, "write `and` in small letters"),
    ("True", 1, "write `true` in small letters"),
    ("close ** 2 > 1", 7, "write x * x"),
    ("close ^ 2 > 1", 7, "write x * x"),
    ("close // 2 > 1", 7, "a single '/'"),
    ("close % 2 > 1", 7, "a percentage is a fraction"),
    ("close > 5%", 10, "a percentage is a fraction"),
    ("close <> 1", 7, "write `!=`"),
    ("close => 1", 7, "write `>=`"),
    ("close[1] > 1", 6, "write prev(close, 1)"),
    ("close.shift(1) > 1", 6, "write prev(close, 1)"),
    ("close > 1 ? 2 : 3", 11, "combine conditions"),
    ("close > 'a'", 9, 'only in tf("1wk", ...)'),
    ("close > 'a", 9, "no closing '"),
    ("close > 2x", 9, "'2x' is not a number"),
    ("close > 1e999", 9, "too large"),
    ("close > 1.2.3", 9, "'1.2.3' is not a number"),
    ("close > é", 9, "has no meaning"),
    ("close > 1 if 2 else 3", 11, "expected an operator after '1', found 'if'"),
    ("__import__('os')", 1, "unknown function"),
    ('tf("1week", close) > 1', 4, "not an interval"),
    ('tf("1wk", 5) > 1', 11, "expects a series or a condition, found a single number"),
    ("tf(close, 5) > 1", 4, "an interval in quotes"),
    ('tf("1wk", "close") > 1', 11, "an expression without quotes"),
    ('abs("1wk") > 1', 5, "takes no text in quotes"),
    ("a" * (LENGTH_MAX + 1), 1, "shorten it"),
    ("(" * (NESTING_MAX + 1) + "1" + ")" * (NESTING_MAX + 1), NESTING_MAX + 1, "levels deep"),
    ("-" * (NESTING_MAX + 1) + "close > 1", NESTING_MAX + 1, "levels deep"),
    ("+".join(["close"] * (DEPTH_MAX + 1)) + " > 1", 1, "a chain of more than"),
    (" and ".join(["close > 1"] * (DEPTH_MAX + 1)), 1, "a chain of more than"),
]


@pytest.fixture(autouse=True)
def users_indicators_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_USER", dict(registry._USER))


@pytest.mark.parametrize(("text", "column", "message"), MISTAKES, ids=[text[:30] or "empty" for text, _, _ in MISTAKES])
def test_a_mistake_is_pointed_at_and_the_remedy_is_named(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, parameters=("fast", "slow"))
    lines = str(caught.value).split("\n")
    assert message in lines[0]
    assert f"(column {column})" in lines[0]
    assert caught.value.column == column - 1
    assert lines[2] == "  " + " " * (column - 1) + "^"


@pytest.mark.parametrize("text", [None, 5, b"close > 1", ["close > 1"]])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="an expression is a text"):
        parse(text)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("name", ["close", "periods_per_year", "and", "true"])
def test_a_parameter_cannot_have_a_name_that_means_something(name: str) -> None:
    with pytest.raises(InputError, match=f"parameter '{name}' is .* choose another name"):
        parse("close > 1", parameters=(name,))


def test_parameters_given_as_one_text_are_refused() -> None:
    with pytest.raises(InputError, match="collection of names"):
        parse("close > fast", parameters="fast")


def test_precedence_is_that_of_arithmetic_then_comparison_then_logic() -> None:
    written = parse("not close > 1 + 2 * 3 and open < 1 or high >= 2 - 1 - 1")
    spelled = parse("((not (close > (1 + (2 * 3)))) and (open < 1)) or (high >= ((2 - 1) - 1))")
    assert written.root == spelled.root


def test_a_comparison_and_its_opposite_share_one_node() -> None:
    above, opposite = parse("close > open").root, parse("close <= open").root
    assert isinstance(above, Greater)
    assert opposite == Not(above)
    assert parse("open < close").root == above
    assert parse("not (close <= open)").root == above


def test_expressions_are_equal_when_their_text_is_and_hash_alike() -> None:
    assert parse("close > fast", parameters=("fast",)) == parse("close > fast", parameters=("fast",))
    assert len({parse("close > 1"), parse("close > 1"), parse("close > 2")}) == 2


def test_an_expression_survives_pickling() -> None:
    expression = parse("sma(close, fast) > 1", parameters=("fast", "slow"))
    assert pickle.loads(pickle.dumps(expression)) == expression


def test_an_expression_may_run_over_several_lines() -> None:
    expression = parse("close > 1\n  and open > 2\t")
    assert expression.kind == "condition"
    assert str(expression) == "close > 1\n  and open > 2\t"
    with pytest.raises(ExpressionError) as caught:
        parse("close > 1\nand opne > 2")
    assert str(caught.value).split("\n")[1:] == ["  close > 1 and opne > 2", "                ^"]


@pytest.mark.parametrize(
    ("text", "params", "bars"),
    [
        ("close > 1", {}, 0),
        ("sma(close, n) > 1", {"n": 20}, 19),
        ("sma(sma(close, 5), n) > 1", {"n": 20}, 23),
        ("prev(close, n) > close", {"n": 3}, 3),
        ("crosses_above(close, sma(close, n))", {"n": 3}, 3),
        ("prev(close > sma(close, 4), n)", {"n": 3}, 6),
        ("close > n", {"n": 3}, 0),
        ("tf('1wk', sma(close, n)) > 1", {"n": 4}, 28),
        ("not (close > 1 and rsi(close, n) > 1)", {"n": 14}, 14),
    ],
)
def test_lookback_is_the_number_of_bars_before_the_first_value(text: str, params: dict[str, int], bars: int) -> None:
    assert parse(text, parameters=("n",)).lookback(params) == bars


def test_lookback_asks_for_missing_parameters_and_checks_those_given() -> None:
    expression = parse("sma(close, fast) > 1", parameters=("fast",))
    with pytest.raises(InputError, match="parameter 'fast' has no value; give it one: fast="):
        expression.lookback({})
    with pytest.raises(InputError, match=r"sma: `window` is 2.5; expected a whole number .* \(given by fast=2.5\)"):
        expression.lookback({"fast": 2.5})


def test_other_catalogues_bring_other_names() -> None:
    alerts = Catalogue([Name("portfolio_var", "scalar", unit="ratio"), Name("equity", unit="currency")])
    expression = parse("portfolio_var > 0.15 or sma(equity, 20) > limit", parameters=("limit",), catalogue=alerts)
    assert expression.kind == "condition"
    with pytest.raises(ExpressionError, match="unknown name 'close'"):
        parse("close > 1", catalogue=alerts)
    with pytest.raises(ExpressionError, match="atr needs high, low, close; there are only: portfolio_var, equity"):
        parse("atr(14) > 1", catalogue=alerts)


def test_a_catalogue_refuses_doubled_and_impossible_names() -> None:
    with pytest.raises(InputError, match="stands twice"):
        Catalogue([Name("equity"), Name("equity")])
    for name in ("2x", "and", "a b", ""):
        with pytest.raises(InputError, match="cannot be a name"):
            Name(name)
    with pytest.raises(InputError, match="the scale of 'x' is 'large'"):
        Name("x", scale="large")
    assert Catalogue(BARS.values()) == BARS


def test_function_names_are_those_of_the_language_and_of_the_registry() -> None:
    assert {"sma", "rsi", "tf", "prev", "crosses_below"} <= set(function_names())


def test_a_users_indicator_is_found_and_a_new_definition_replaces_the_old() -> None:
    def with_window(x, window=5):  # type: ignore[no-untyped-def]  # as users write it
        return np.full(x.size, float(window))

    def without(x):  # type: ignore[no-untyped-def]
        return np.zeros(x.size)

    indicator(with_window, name="spread_of_test")
    assert parse("spread_of_test(close, 3) > 1").kind == "condition"
    indicator(without, name="spread_of_test")
    with pytest.raises(ExpressionError, match="takes 1 argument, found 2"):
        parse("spread_of_test(close, 3) > 1")
    assert parse("spread_of_test(close) > 1").kind == "condition"
