"""Plans: what is shared, what becomes a leaf, and that one evaluator serves single runs and sweeps."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from algotrendy.domain.bars import BarArrays
from algotrendy.errors import InputError
from algotrendy.expressions import Catalogue, Name, SignalPlan, assemble, evaluate_condition, parse
from algotrendy.expressions.parser import DEPTH_MAX
from algotrendy.expressions.series import Evaluator
from algotrendy.kernels import conditions as kernel
from algotrendy.kernels.conditions import evaluate_conditions


def random_bars(n: int, seed: int = 3) -> BarArrays:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    return BarArrays(close, close * 1.01, close * 0.99, close, rng.integers(1, 9, n).astype(float))


BARS = random_bars(2500)  # more than two blocks
NAMES = ("fast", "slow", "band")


def plan_of(*texts: str | None, varying: Any = ()) -> SignalPlan:
    return SignalPlan([None if text is None else parse(text, parameters=NAMES) for text in texts], varying=varying)


def bits(row: Any, n: int) -> Any:
    return np.unpackbits(row.view(np.uint8), count=n, bitorder="little").astype(bool)


class Sweep:
    """What a sweep hands the kernel: each series once, and which of them each combination takes."""

    def __init__(self, plan: SignalPlan, bars: BarArrays, params: dict[str, Any], size: int) -> None:
        cache: dict[Any, Any] = {}
        columns = {name: np.broadcast_to(np.asarray(value), (size,)) for name, value in params.items()}
        series: dict[int, tuple[int, Any]] = {}
        self.rows = np.zeros((size, len(plan.leaves)), dtype=np.int64)
        for i in range(size):
            values = {name: column[i].item() for name, column in columns.items()}
            evaluator = Evaluator(bars, values, cache=cache)
            for k, leaf in enumerate(plan.leaves):
                array = plan.leaf_series(leaf, evaluator, bars.close.size)
                self.rows[i, k] = series.setdefault(id(array), (len(series), array))[0]
        self.series = [array for _, array in series.values()]
        self.addresses = np.array([array.ctypes.data for array in self.series], dtype=np.int64)
        self.scalars = plan.scalar_table(columns, size)

    def run(self, plan: SignalPlan, combination: int, scratch: Any) -> None:
        evaluate_conditions(plan.program, self.addresses, self.rows[combination], self.scalars[combination], scratch)


def test_the_codes_are_those_of_the_kernel() -> None:
    assert assemble.COMPARE == kernel.COMPARE
    assert (assemble.AND, assemble.LAG, assemble.CROSS, assemble.COPY) == (
        kernel.AND, kernel.LAG, kernel.CROSS, kernel.COPY,
    )  # fmt: skip
    names = ("ADD", "SUBTRACT", "MULTIPLY", "DIVIDE", "BIGGER", "MINIMUM", "MAXIMUM")
    assert list(assemble.CODES.values()) == [getattr(kernel, name) for name in names]


def test_entry_and_exit_share_one_comparison() -> None:
    plan = plan_of("sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)")
    assert plan.program.steps[:, 0].tolist() == [kernel.COMPARE]
    assert len(plan.program.logic) == 0
    assert [leaf.parameters for leaf in plan.leaves] == [("fast",), ("slow",)]


def test_equal_conditions_are_computed_once_and_copied() -> None:
    plan = plan_of("close > open", "close < open", "close < open", "close > open")
    assert len(plan.program.steps) == 2
    words = plan.run(BARS._replace(open=BARS.close[::-1].copy()), {})
    assert np.array_equal(words[0], words[3])
    assert np.array_equal(words[1], words[2])
    assert not np.array_equal(words[0], words[1])


def test_a_condition_that_is_absent_is_never_true() -> None:
    words = plan_of(None, "close > 0", None).run(BARS, {})
    assert not words[0].any()
    assert not words[2].any()
    assert bits(words[1], 2500).all()
    assert plan_of(None, None).run(BARS, {}).shape == (2, 40)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1023, 1024, 1025, 2500])
def test_a_sweep_gives_the_bits_of_single_runs(n: int) -> None:
    bars = BarArrays(*(column[:n] for column in BARS))
    texts = (
        "close > sma(close, slow) * (1 + band) and rsi(close, fast) < 70",
        "crosses_below(close, sma(close, slow)) or prev(close > sma(close, fast), fast)",
        "sma(close, fast) - sma(close, slow) > band",
        "(close - sma(close, slow)) / stdev(close, slow) < -band",
    )
    params = {
        "fast": np.repeat([3, 5, 8], 4),
        "slow": np.tile([10, 20, 30, 40], 3),
        "band": np.linspace(0.0, 0.02, 12),
    }
    expected = [
        plan_of(*texts).run(bars, {name: column[k].item() for name, column in params.items()}) for k in range(12)
    ]
    for varying in ((), NAMES, ("slow",)):
        plan = plan_of(*texts, varying=varying)
        sweep = Sweep(plan, bars, params, 12)
        scratch = plan.scratch(n)
        for k in range(12):
            sweep.run(plan, k, scratch)
            assert np.array_equal(scratch.words[:4], expected[k]), (varying, k)


def test_each_series_of_a_sweep_is_computed_once_whatever_its_parameter_is_called() -> None:
    plan = plan_of("sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)", varying=NAMES)
    pairs = np.array([(fast, slow) for fast in range(5, 15) for slow in range(10, 30)])
    sweep = Sweep(plan, BARS, {"fast": pairs[:, 0], "slow": pairs[:, 1]}, len(pairs))
    assert len(sweep.series) == 25


def test_arithmetic_that_combinations_share_becomes_a_leaf() -> None:
    text = "(close - sma(close, slow)) / stdev(close, slow) > band"
    assert len(plan_of(text).program.steps) > 5
    swept = plan_of(text, varying=("slow", "band"))
    assert swept.program.steps[-1, 0] == kernel.COMPARE
    assert {leaf.parameters for leaf in swept.leaves} == {("slow",)}


def test_combinations_that_differ_in_the_signal_share_a_macd_line() -> None:
    arguments = "(close, fast, slow, band)"
    swept = plan_of(f"macd{arguments} > macd_signal{arguments}", f"macd_histogram{arguments} < 0", varying=NAMES)
    series = {leaf.node.form: leaf.parameters for leaf in swept.leaves if not leaf.is_scale}
    assert sorted(series.values()) == [("band", "fast", "slow"), ("fast", "slow")]


def test_arithmetic_that_would_need_more_memory_than_its_leaves_stays_in_the_kernel() -> None:
    plan = plan_of("sma(close, fast) - sma(close, slow) > band", varying=NAMES)
    assert sorted(leaf.parameters for leaf in plan.leaves) == [("fast",), ("slow",)]


def test_scalars_are_computed_for_all_combinations_at_once() -> None:
    plan = plan_of("close > sma(close, slow) * (1 + band)")
    table = plan.scalar_table({"band": np.array([0.0, 0.5]), "slow": 20}, 2)
    assert table.tolist() == [[1.0], [1.5]]


def test_a_lag_of_a_sweep_is_checked_in_every_combination() -> None:
    plan = plan_of("prev(close > open, fast)")
    with pytest.raises(InputError, match="that is the future"):
        plan.scalar_table({"fast": np.array([1, 0, -1])}, 3)


def test_a_difference_of_parameters_that_is_only_rounding_is_zero() -> None:
    plan = plan_of("close * (fast - slow - band) > 0")
    bars = random_bars(10)
    assert not plan.run(bars, {"fast": 0.3, "slow": 0.1, "band": 0.2}).any()


def test_numbers_and_mixed_catalogues_are_refused() -> None:
    with pytest.raises(InputError, match="'close' is a number, expected a condition"):
        SignalPlan([parse("close")])
    other = Catalogue([Name("equity")])
    with pytest.raises(InputError, match="different catalogues"):
        SignalPlan([parse("close > 1"), parse("equity > 1", catalogue=other)])


def test_a_plan_survives_pickling() -> None:
    plan = plan_of("close > sma(close, slow)", None, varying=("slow",))
    again = pickle.loads(pickle.dumps(plan))
    assert np.array_equal(again.run(BARS, {"slow": 9}), plan.run(BARS, {"slow": 9}))
    assert again.varying == plan.varying


def test_a_cache_gives_the_same_bits_and_is_filled_once() -> None:
    plan, cache = plan_of("sma(close, fast) > sma(close, slow)"), {}
    first = plan.run(BARS, {"fast": 5, "slow": 20}, cache=cache)
    size = len(cache)
    assert np.array_equal(plan.run(BARS, {"fast": 5, "slow": 20}, cache=cache), first)
    assert len(cache) == size
    assert not np.array_equal(plan.run(BARS, {"fast": 6, "slow": 20}, cache=cache), first)


def test_conditions_without_bars_hold_at_every_bar_or_at_none() -> None:
    truth = evaluate_condition(parse("fast < slow", parameters=NAMES), BARS, {"fast": 1, "slow": 2})
    assert truth.true.all()
    assert evaluate_condition(parse("true"), BARS).true.all()
    assert not evaluate_condition(parse("false"), BARS).true.any()


def test_no_bars_give_no_words() -> None:
    none = np.zeros(0)
    assert plan_of("close > 1").run(BarArrays(none, none, none, none, none), {}).shape == (1, 0)


def test_the_longest_chain_that_can_be_read_can_be_evaluated() -> None:
    bars = random_bars(10)
    terms = DEPTH_MAX - 3
    assert evaluate_condition(parse(f"{' + '.join(['close'] * terms)} > {terms - 1} * close"), bars).true.all()
    assert evaluate_condition(parse(" and ".join(["close > 1"] * (DEPTH_MAX - 3))), bars).true.all()
    assert evaluate_condition(parse(f"{'sma(' * 39}close{', 1)' * 39} >= close"), bars).true.all()
