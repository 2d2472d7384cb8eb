"""Eight numbers that kernels compute with as one: the same step for eight sets of parameters at once.

A recursion waits for its last step, so a processor that is handed one of them idles most of the time. Eight of them,
each in a lane of its own, take hardly longer than one. What is written on lanes becomes the vector instructions of the
machine (two registers of AVX2, one of AVX-512); each lane is rounded as a single number would be, so results agree to
the last bit. Loops over arrays that a compiler may or may not vectorise give no such promise.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.typing import templates
from numba.extending import intrinsic, lower_builtin, models, register_model

# Numba has no types of its own here.
_PrimitiveModel: Any = models.PrimitiveModel
_ConcreteTemplate: Any = templates.ConcreteTemplate
_infer_global: Any = templates.infer_global
_signature: Any = templates.signature
_lower_builtin: Any = lower_builtin

WIDTH = 8
"""Lanes: as many as keep both floating-point units busy while each lane waits for its own last step."""

BYTES = 8 * WIDTH
"""Bytes of one number per lane."""

_NUMBERS = ir.VectorType(ir.DoubleType(), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)


class _Numbers(types.Type):
    """One float64 per lane."""


class _Truths(types.Type):
    """One truth per lane."""


NUMBERS, TRUTHS = _Numbers("lanes"), _Truths("truths")


@register_model(_Numbers)
class _NumbersModel(_PrimitiveModel):  # type: ignore[misc]  # Numba has no types here
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _NUMBERS)


@register_model(_Truths)
class _TruthsModel(_PrimitiveModel):  # type: ignore[misc]  # Numba has no types here
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _BITS)


def _define(operation: Any, operand: Any, result: Any, build: Callable[[Any, Any, Any], Any]) -> None:
    """Say what an operator of two operands of one type means."""

    @_infer_global(operation)
    class _Template(_ConcreteTemplate):  # type: ignore[misc]  # Numba has no types here
        cases = [_signature(result, operand, operand)]  # noqa: RUF012  # Numba reads it from the class

    @_lower_builtin(operation, operand, operand)
    def _lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return build(builder, *arguments)


_define(operator.add, NUMBERS, NUMBERS, lambda builder, left, right: builder.fadd(left, right))
_define(operator.sub, NUMBERS, NUMBERS, lambda builder, left, right: builder.fsub(left, right))
_define(operator.mul, NUMBERS, NUMBERS, lambda builder, left, right: builder.fmul(left, right))
_define(operator.truediv, NUMBERS, NUMBERS, lambda builder, left, right: builder.fdiv(left, right))
_define(operator.lt, NUMBERS, TRUTHS, lambda builder, left, right: builder.fcmp_ordered("<", left, right))
_define(operator.gt, NUMBERS, TRUTHS, lambda builder, left, right: builder.fcmp_ordered(">", left, right))
_define(operator.eq, NUMBERS, TRUTHS, lambda builder, left, right: builder.fcmp_ordered("==", left, right))
_define(operator.and_, TRUTHS, TRUTHS, lambda builder, left, right: builder.and_(left, right))
_define(operator.or_, TRUTHS, TRUTHS, lambda builder, left, right: builder.or_(left, right))


def _spread(typing_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = builder.insert_element(ir.Constant(_NUMBERS, ir.Undefined), arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(first, first, _chosen([0] * WIDTH))

    return NUMBERS(types.float64), generate


def _where(typing_context: Any, truths: Any, left: Any, right: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return NUMBERS(TRUTHS, NUMBERS, NUMBERS), generate


def _fused(typing_context: Any, left: Any, right: Any, addend: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        form = ir.FunctionType(_NUMBERS, [_NUMBERS] * 3)
        called: Any = get_or_insert_function(builder.module, form, f"llvm.fma.v{WIDTH}f64")  # type: ignore[no-untyped-call]  # as above
        return builder.call(called, arguments)

    return NUMBERS(NUMBERS, NUMBERS, NUMBERS), generate


def _load(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _read(builder, arguments[0])

    return NUMBERS(types.int64), generate


def _store(typing_context: Any, address: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _write(builder, *arguments)
        return context.get_dummy_value()

    return types.none(types.int64, NUMBERS), generate


def _turn(typing_context: Any, sources: Any, source_offset: Any, targets: Any, target_offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sources, source_offset, targets, target_offset = arguments
        rows = [_read(builder, builder.add(each, source_offset)) for each in _addresses(builder, sources)]
        for target, row in zip(_addresses(builder, targets), _transposed(builder, rows), strict=True):
            _write(builder, builder.add(target, target_offset), row)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64, types.int64), generate


def _addresses(builder: Any, table: Any) -> list[Any]:
    """Return the addresses that stand in a table of int64."""
    pointer = builder.inttoptr(table, ir.IntType(64).as_pointer())
    return [builder.load(builder.gep(pointer, [ir.IntType(64)(k)])) for k in range(WIDTH)]


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a square of numbers: squares of 2, then of 4, then of 8 are turned."""
    step = 1
    while step < WIDTH:
        near = [k if not k & step else WIDTH + k - step for k in range(WIDTH)]
        far = [k + step if not k & step else WIDTH + k for k in range(WIDTH)]
        for k in range(WIDTH):
            if not k & step:
                upper, lower = rows[k], rows[k + step]
                rows[k] = builder.shuffle_vector(upper, lower, _chosen(near))
                rows[k + step] = builder.shuffle_vector(upper, lower, _chosen(far))
        step *= 2
    return rows


def _chosen(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), lanes)


def _read(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, _NUMBERS.as_pointer()), align=8)


def _write(builder: Any, address: Any, numbers: Any) -> None:
    builder.store(numbers, builder.inttoptr(address, _NUMBERS.as_pointer()), align=8)


spread: Any = intrinsic(_spread)
"""Return a float64 in every lane."""

where: Any = intrinsic(_where)
"""Return in each lane the first number where it is true, else the second."""

fused: Any = intrinsic(_fused)
"""Return the first number times the second plus the third in each lane, rounded once."""

load: Any = intrinsic(_load)
"""Return the numbers, one per lane, that lie at an address."""

store: Any = intrinsic(_store)
"""Write numbers, one per lane, to an address."""

turn: Any = intrinsic(_turn)
"""Copy a square: number j at `sources[k]` goes to place k at `targets[j]`.

`sources` and `targets` are addresses of tables of `WIDTH` addresses, to which an offset in bytes is added.
"""
