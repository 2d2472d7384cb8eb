"""`@indicator`: a user's function becomes a name in expressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from algotrendy.errors import InputError
from algotrendy.indicators import indicator, lookup, names, registry, stream

X = np.array([1.0, 2.0, 4.0, 7.0])


@pytest.fixture(autouse=True)
def _clean_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_USER", {})
    return


def test_the_signature_says_what_is_a_series_and_what_a_parameter() -> None:
    @indicator
    def my_slope(x: Any, window: int, factor: float = 2.0) -> Any:
        """Slope of a line."""
        return factor * (x - np.roll(x, window))

    spec = lookup("my_slope")
    assert spec.inputs == ("x",)
    assert [(info.name, info.type, info.default) for info in spec.parameters] == [
        ("window", int, None),
        ("factor", float, 2.0),
    ]
    assert spec.description == "Slope of a line."
    assert spec.compute(X, window=1).tolist() == [-12.0, 2.0, 4.0, 6.0]
    assert "my_slope" in names()


def test_the_decorated_function_stays_a_plain_function() -> None:
    @indicator(name="doubled")
    def twice(x: Any) -> Any:
        return 2.0 * x

    assert twice(3.0) == 6.0
    assert lookup("doubled").compute(X).tolist() == [2.0, 4.0, 8.0, 14.0]


def test_arguments_named_like_columns_come_from_the_bars() -> None:
    @indicator
    def body(open: Any, close: Any, scale: Any = 1) -> Any:
        return (close - open) * scale

    @indicator
    def weighed(x: Any, volume: Any, window: Any) -> Any:
        return x * volume * window

    assert lookup("body").inputs == ("open", "close")
    assert lookup("weighed").inputs == ("x", "volume")
    assert [info.name for info in lookup("weighed").parameters] == ["window"]


def test_several_series_can_be_named() -> None:
    @indicator(inputs=("x", "y"), unit="ratio", scale="1", lookback=3)
    def spread(x: Any, y: Any, window: Any) -> Any:
        return x - window * y

    spec = lookup("spread")
    assert (spec.inputs, spec.unit, spec.scale, spec.lookback({})) == (("x", "y"), "ratio", "1", 3)
    assert spec.compute(X, X, window=1).tolist() == [0.0] * 4


def test_a_parameter_without_a_type_arrives_as_it_was_written() -> None:
    seen = []

    @indicator
    def nosy(x: Any, window: Any) -> Any:
        seen.append(window)
        return x

    for value in (20, 20.0, 1.5):
        lookup("nosy").compute(X, window=value)
    assert [(type(value), value) for value in seen] == [(int, 20), (int, 20), (float, 1.5)]


def test_the_lookback_may_be_a_function_of_the_parameters() -> None:
    @indicator(lookback=lambda parameters: parameters["window"] - 1)
    def late(x: Any, window: int) -> Any:
        return x

    assert lookup("late").lookback({"window": 5}) == 4


def test_defining_it_again_replaces_it() -> None:
    for factor in (2.0, 3.0):

        @indicator
        def again(x: Any, factor: float = factor) -> Any:
            return x * factor

    assert lookup("again").compute(X).tolist() == [3.0, 6.0, 12.0, 21.0]


@pytest.mark.parametrize("taken", ["sma", "close", "prev", "tf", "and", "macd_signal", "bollinger", "session"])
def test_names_of_the_language_and_of_the_package_are_taken(taken: str) -> None:
    with pytest.raises(InputError, match=rf"'{taken}' is .*; choose another name: indicator\(name='my_{taken}'\)"):
        indicator(name=taken)(lambda x: x)


@pytest.mark.parametrize("name", ["my-slope", "1st", "größe", "<lambda>"])
def test_a_name_must_be_a_word(name: str) -> None:
    with pytest.raises(InputError, match="cannot be written in an expression"):
        indicator(name=name)(lambda x: x)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (X[1:], r"returned shape \(3,\) for 4 bars; return one number per bar"),
        (np.ones((4, 2)), r"returned shape \(4, 2\)"),
        (5.0, r"returned shape \(\)"),
        (np.array(list("abcd")), "returned <U1; return float numbers"),
        (X + 1j, "returned complex128; return float numbers"),
    ],
)
def test_a_wrong_result_is_refused_with_the_remedy(result: Any, message: str) -> None:
    indicator(name="wrong")(lambda x: result)
    with pytest.raises(InputError, match=message):
        lookup("wrong").compute(X)


def test_whole_and_true_false_results_become_floats() -> None:
    indicator(name="counted")(lambda x: np.arange(x.size))
    indicator(name="flagged")(lambda x: x > 2.0)
    assert lookup("counted").compute(X).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert lookup("flagged").compute(X).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_the_function_cannot_change_the_bars() -> None:
    @indicator
    def vandal(close: Any) -> Any:
        close[0] = 0.0
        return close

    with pytest.raises(ValueError, match="read-only"):
        lookup("vandal").compute(X)
    assert X[0] == 1.0


def test_signatures_that_an_expression_cannot_write_are_refused() -> None:
    with pytest.raises(InputError, match=r"`\*rest` has no name in an expression"):
        indicator(name="loose")(lambda x, *rest: x)
    with pytest.raises(InputError, match="takes no series; its first argument must be one"):
        indicator(name="empty")(lambda: X)
    with pytest.raises(InputError, match="the default of `mode` is 'fast'; expected a number"):
        indicator(name="modal")(lambda x, mode="fast": x)
    with pytest.raises(InputError, match=r"`inputs` \['y'\] are not its first arguments"):
        indicator(name="mixed", inputs=("y",))(lambda x: x)
    with pytest.raises(InputError, match="indicator expects a function, found str"):
        indicator("my_slope")  # type: ignore[call-overload]


def test_parameters_are_checked_when_it_is_called() -> None:
    @indicator
    def strict(x: Any, window: int) -> Any:
        return x

    with pytest.raises(InputError, match=r"strict: `window` is 2\.5; expected a whole number"):
        lookup("strict").compute(X, window=2.5)


def test_a_users_function_has_no_streaming_form() -> None:
    indicator(name="batch_only")(lambda x: x)
    with pytest.raises(InputError, match="only built-in indicators have a streaming form"):
        stream("batch_only")
