"""Whatever text is given, reading it ends with an expression or an `ExpressionError` that points into the text."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from algotrendy.errors import ExpressionError
from algotrendy.expressions import function_names, parse

SYMBOLS = "( ) , + - * / > < >= <= == != = && [ . ! % ' \" '1wk' \x00 é"
WORDS = "close open fast 1 2.5 1e3 .5 and or not true false prev tf min abs crosses_above"
words = st.sampled_from([*SYMBOLS.split(" "), *WORDS.split(" "), "  ", "\n", *function_names()])


def read(text: str) -> None:
    refused = None
    try:
        parse(text, parameters=("fast",))
    except ExpressionError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.column <= len(text)
        message, shown, pointer = str(refused).split("\n")
        assert message
        assert pointer.rstrip("^").strip() == ""
        assert len(pointer) <= len(shown) + 1


@given(st.text(max_size=200))
@example("\x1c\x85")
@example("1" * 400)
@example("1e999 > close")
def test_any_text_is_read_or_refused_with_its_column(text: str) -> None:
    read(text)


@given(st.lists(words, max_size=40).map(" ".join))
def test_any_row_of_words_is_read_or_refused_with_its_column(text: str) -> None:
    read(text)


@given(st.lists(words, max_size=25).map("".join))
def test_any_words_run_together_are_read_or_refused_with_their_column(text: str) -> None:
    read(text)
