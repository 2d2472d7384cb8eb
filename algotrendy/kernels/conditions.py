"""Conditions of a strategy, true or not at each bar, as bits: bar i is bit i % 64 of word i // 64 of a row.

One evaluator runs the compiled program of any strategy (see `algotrendy.expressions.plan`), so there is nothing to
compile per expression. Its steps go over a block of bars at a time, so that what is passed between steps stays in the
nearest cache; the logic that joins comparisons works on 64 bars at once.

A condition has two rows, where it is true and where it is false; unknown is neither. So `not` swaps two rows and costs
nothing, and `a <= b` is the second row of `a > b`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algotrendy.kernels._jit import jit
from algotrendy.kernels._memory import doubles_at, words_at
from algotrendy.kernels._part import KERNEL, part

# Steps on numbers. COMPARE: rows (true, false), operands (left, right, scale). The others: register, -, left, right, -.
COMPARE, ADD, SUBTRACT, MULTIPLY, DIVIDE, BIGGER, MINIMUM, MAXIMUM = range(8)

# Steps on bits: rows (true, false) of the result, of the left and of the right operand, index of a scalar.
AND, LAG, CROSS, COPY = range(4)

BLOCK = 1024
"""Bars per block of a sweep: a few registers of this length lie in 32 KiB."""

_TIE = 1e-12
_NONE = np.uint64(0)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_WORD = np.uint64(64)
_LAST_BIT = np.uint64(63)


class Program(NamedTuple):
    """What to compute, independent of parameters and bars.

    An operand is a number: the leaves first (series, handed in), then the registers, the constant ones first.
    """

    steps: NDArray[np.int64]
    """Shape (n_steps, 6): code and five fields, see above."""

    logic: NDArray[np.int64]
    """Shape (n_logic, 8): code and seven fields, see above."""

    constants: NDArray[np.int64]
    """Shape (n_constants,): the scalar that fills each constant register."""


class Scratch(NamedTuple):
    """Memory of one evaluation at a time, laid out for one program and number of bars; used again for the next."""

    n_bars: int

    truth: int
    """Address of `words`."""

    operands: NDArray[np.int64]
    """Shape (n_leaves + n_registers,): addresses of all operands."""

    ports: NDArray[np.int64]
    """Shape (5,): addresses that the current step reads and writes: left, right, scale; result, or true and false."""

    registers: NDArray[np.float64]
    """Shape (n_registers, block); block is a multiple of 64."""

    words: NDArray[np.uint64]
    """Shape (n_rows, n_words): the rows of the conditions asked for come first. Zeros before the first evaluation."""


@jit(**KERNEL)
def evaluate_conditions(
    program: Program,
    addresses: NDArray[np.int64],
    rows: NDArray[np.int64],
    scalars: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    """Evaluate the conditions of one combination of parameters into the first rows of `scratch.words`.

    Allocates nothing. `evaluate_conditions.py_func` does the same from Python with only the steps compiled, so that a
    first backtest does not wait for the compiler.

    Parameters
    ----------
    program : Program
        What to compute.
    addresses : int64 array of shape (n_series,)
        Where the float64 series of n_bars elements lie; NaN is unknown.
    rows : int64 array of shape (n_leaves,)
        Which of the series each leaf of the program is.
    scalars : float64 array of shape (n_scalars,)
        Numbers that the program uses.
    scratch : Scratch
        Memory.
    """
    n_bars, operands, ports = scratch.n_bars, scratch.operands, scratch.ports
    steps, logic = program.steps, program.logic
    block, n_leaves = scratch.registers.shape[1], rows.size
    for k in range(n_leaves):
        operands[k] = addresses[rows[k]]
    if program.constants.size:
        _fill_constants(program.constants, scalars, scratch.registers)
    truth, row = scratch.truth, 8 * scratch.words.shape[1]
    for start in range(0, n_bars, block):
        size = min(block, n_bars - start)
        for k in range(steps.shape[0]):
            for port in range(3):
                operand = steps[k, 3 + port]
                ports[port] = operands[operand] + (8 * start if operand < n_leaves else 0)
            if steps[k, 0] == COMPARE:
                ports[3] = truth + row * steps[k, 1] + (start >> 3)
                ports[4] = truth + row * steps[k, 2] + (start >> 3)
                _compare(ports, size)
            else:
                ports[3] = operands[steps[k, 1]]
                _calculate(steps[k, 0], ports, size)
    for k in range(logic.shape[0]):
        count = np.int64(scalars[logic[k, 7]]) if logic[k, 0] == LAG else 0
        _join(logic[k], truth, row, n_bars, count)


@jit(**KERNEL)
def _fill_constants(constants: NDArray[np.int64], scalars: NDArray[np.float64], registers: NDArray[np.float64]) -> None:
    for k in range(constants.size):
        value = scalars[constants[k]]
        if registers[k, 0] != value:  # a literal is there already from the last combination; NaN never equals itself
            for i in range(registers.shape[1]):
                registers[k, i] = value


@jit(**KERNEL)
def _compare(ports: NDArray[np.int64], size: int) -> None:
    """Set the bits of `left > right`; the tolerance makes equal what differs only by rounding.

    The inner loop of exactly 64 without a branch is what LLVM turns into vector comparisons whose results are gathered
    by `or`; it is as fast as comparisons to masks written by hand.
    """
    left, right, scale = doubles_at(ports[0]), doubles_at(ports[1]), doubles_at(ports[2])
    true, false = words_at(ports[3]), words_at(ports[4])
    full = size >> 6
    for word in range(full):
        above = below = _NONE
        base = word << 6
        for j in range(64):
            bound = right[base + j] + _TIE * abs(scale[base + j])
            above |= np.uint64(left[base + j] > bound) << np.uint64(j)
            below |= np.uint64(left[base + j] <= bound) << np.uint64(j)
        true[word] = above
        false[word] = below
    if size & 63:
        above = below = _NONE
        for i in range(full << 6, size):
            bound = right[i] + _TIE * abs(scale[i])
            above |= np.uint64(left[i] > bound) << np.uint64(i & 63)
            below |= np.uint64(left[i] <= bound) << np.uint64(i & 63)
        true[full] = above
        false[full] = below


@jit(**KERNEL)
def _calculate(code: int, ports: NDArray[np.int64], size: int) -> None:
    """Take one step of arithmetic; what is not finite is unknown."""
    left, right, result = doubles_at(ports[0]), doubles_at(ports[1]), doubles_at(ports[3])
    if code == ADD:
        for i in range(size):
            x = left[i] + right[i]
            result[i] = x if abs(x) < np.inf else np.nan
    elif code == SUBTRACT:
        for i in range(size):
            x = left[i] - right[i]
            result[i] = x if abs(x) < np.inf else np.nan
    elif code == MULTIPLY:
        for i in range(size):
            x = left[i] * right[i]
            result[i] = x if abs(x) < np.inf else np.nan
    elif code == DIVIDE:
        for i in range(size):
            x = left[i] / right[i]
            result[i] = x if abs(x) < np.inf else np.nan
    elif code == BIGGER:
        for i in range(size):
            x, y = abs(left[i]), abs(right[i])
            result[i] = x if (x > y) | np.isnan(x) else y
    else:
        sign = 1.0 if code == MAXIMUM else -1.0  # the smaller is the one whose opposite is larger
        for i in range(size):
            x, y = sign * left[i], sign * right[i]
            result[i] = sign * (x if (x > y) | np.isnan(x) else y)


@jit(**KERNEL)
def _join(step: NDArray[np.int64], truth: int, row: int, n_bars: int, count: int) -> None:
    """Take one step of logic on the rows of bits."""
    code = step[0]
    true, false = words_at(truth + row * step[1]), words_at(truth + row * step[2])
    left, left_false = words_at(truth + row * step[3]), words_at(truth + row * step[4])
    right, right_false = words_at(truth + row * step[5]), words_at(truth + row * step[6])
    n_words = (n_bars + 63) >> 6
    if code == AND:
        for w in range(n_words):
            both = left[w] & right[w]
            false[w] = left_false[w] | right_false[w]
            true[w] = both
    elif code == COPY:
        for w in range(n_words):
            true[w] = left[w]
    elif code == CROSS:
        before_true = before_false = _NONE
        for w in range(n_words):
            now_true, now_false = left[w], left_false[w]
            was_false = now_false << _ONE | before_false
            was_known = was_false | now_true << _ONE | before_true
            before_true, before_false = now_true >> _LAST_BIT, now_false >> _LAST_BIT
            true[w] = now_true & was_false
            false[w] = (now_true | now_false) & was_known & ~(now_true & was_false)
    else:
        for side in range(2):
            _lag(words_at(truth + row * step[3 + side]), words_at(truth + row * step[1 + side]), n_bars, count)


@part
def _lag(source: Any, target: Any, n_bars: int, count: int) -> None:
    """Move bits `count` bars on; what comes in from before the first bar is unknown."""
    words, bits = count >> 6, np.uint64(count & 63)
    n_words = (n_bars + 63) >> 6
    for w in range(n_words):
        moved = _NONE
        if w >= words:
            moved = source[w - words] << bits
        if w > words and bits > _NONE:
            moved |= source[w - words - 1] >> (_WORD - bits)
        target[w] = moved
    if n_bars & 63:
        target[n_words - 1] &= (_ONE << np.uint64(n_bars & 63)) - _ONE
