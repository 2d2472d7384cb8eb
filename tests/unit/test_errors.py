"""Errors point at the place and name the remedy."""

from __future__ import annotations

from algotrendy.errors import ExpressionError, InputError, MissingExtraError


def test_an_expression_error_points_at_its_column() -> None:
    error = ExpressionError("unknown name 'clsoe'; did you mean 'close'?", "sma(clsoe, 20)", 4)
    assert str(error).splitlines() == [
        "unknown name 'clsoe'; did you mean 'close'? (column 5)",
        "  sma(clsoe, 20)",
        "      ^",
    ]
    assert (error.text, error.column) == ("sma(clsoe, 20)", 4)


def test_an_input_error_is_a_value_error() -> None:
    assert issubclass(InputError, ValueError)


def test_a_missing_extra_gives_the_command() -> None:
    assert "pip install 'algotrendy[ml]'" in str(MissingExtraError("xgboost", "ml"))
