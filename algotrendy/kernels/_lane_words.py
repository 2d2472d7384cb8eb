"""Eight whole numbers of 64 bits that kernels compute with as one, beside the numbers of `_lanes`.

They hold counters, random words and places in a table. A multiplication of two halves of a word is one instruction of
every machine that has vectors, so the random numbers of eight paths cost little more than those of one.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from algotrendy.kernels._lanes import NUMBERS, TRUTHS, WIDTH, _define

_PrimitiveModel: Any = models.PrimitiveModel

_VECTOR = ir.VectorType(ir.IntType(64), WIDTH)
_DOUBLES = ir.VectorType(ir.DoubleType(), WIDTH)


class _Words(types.Type):
    """One uint64 per lane."""


WORDS = _Words("words")


@register_model(_Words)
class _WordsModel(_PrimitiveModel):  # type: ignore[misc]  # Numba has no types here
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)


_define(operator.add, WORDS, WORDS, lambda builder, left, right: builder.add(left, right))
_define(operator.mul, WORDS, WORDS, lambda builder, left, right: builder.mul(left, right))
_define(operator.xor, WORDS, WORDS, lambda builder, left, right: builder.xor(left, right))
_define(operator.lt, WORDS, TRUTHS, lambda builder, left, right: builder.icmp_unsigned("<", left, right))


def _all(value: int) -> Any:
    return ir.Constant(_VECTOR, [value] * WIDTH)


def _spread_word(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), arguments[0], ir.IntType(32)(0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(first, first, lanes)

    return WORDS(types.uint64), generate


def _lane_numbers(typing_context: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_VECTOR, list(range(WIDTH)))

    return WORDS(), generate


def _high_half(typing_context: Any, words: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], _all(32))

    return WORDS(WORDS), generate


def _low_half(typing_context: Any, words: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.and_(arguments[0], _all(0xFFFFFFFF))

    return WORDS(WORDS), generate


def _choose(typing_context: Any, truths: Any, left: Any, right: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return WORDS(TRUTHS, WORDS, WORDS), generate


def _pick(typing_context: Any, address: Any, places: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())
        found: Any = ir.Constant(_DOUBLES, ir.Undefined)
        for lane in range(WIDTH):
            place = builder.extract_element(arguments[1], ir.IntType(32)(lane))
            found = builder.insert_element(found, builder.load(builder.gep(table, [place])), ir.IntType(32)(lane))
        return found

    return NUMBERS(types.int64, WORDS), generate


def _load_words(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _VECTOR.as_pointer()), align=8)

    return WORDS(types.int64), generate


def _store_words(typing_context: Any, address: Any, words: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.none(types.int64, WORDS), generate


def _root(typing_context: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_DOUBLES, [_DOUBLES])  # llvmlite cannot name a vector by itself
        return builder.call(builder.module.declare_intrinsic(f"llvm.sqrt.v{WIDTH}f64", (), kind), arguments)

    return NUMBERS(NUMBERS), generate


spread_word: Any = intrinsic(_spread_word)
"""Return a uint64 in every lane."""

lane_numbers: Any = intrinsic(_lane_numbers)
"""Return 0, 1, 2, ... : the number of each lane."""

high_half: Any = intrinsic(_high_half)
"""Return the upper 32 bits of each word."""

low_half: Any = intrinsic(_low_half)
"""Return the lower 32 bits of each word."""

choose: Any = intrinsic(_choose)
"""Return in each lane the first word where it is true, else the second."""

pick: Any = intrinsic(_pick)
"""Return the float64 that stands at a place, another in each lane, of the table that begins at an address."""

load_words: Any = intrinsic(_load_words)
"""Return the words, one per lane, that lie at an address."""

store_words: Any = intrinsic(_store_words)
"""Write words, one per lane, to an address."""

root: Any = intrinsic(_root)
"""Return the square root of each number."""
