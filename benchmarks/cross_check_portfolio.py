"""Target weights against bt and vectorbt: equal prices and dates, equal conventions, what is left explained.

Run with `python benchmarks/cross_check_portfolio.py`; for vectorbt hand in the interpreter of an environment with it:
`--vectorbt benchmarks/.venv/bin/python`. The prices are random, with a seed.

Conventions: orders at the close of the day of the decision (`fill="same_close"`), fractional units, equal weights at
the first session of each month. Without costs all three agree to rounding. With costs they differ in who pays: bt
takes the commission of each instrument out of that instrument's own share; vectorbt fills one after the other
(`call_seq="auto"`: sales first) and cuts the last purchases where the cash ends; here all purchases are scaled by one
factor.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

import algotrendy as at

N, T, CASH = 8, 1_000, 1_000_000.0

PEER = """
import json, sys, numpy as np, pandas as pd, vectorbt as vbt
prices = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
first = prices.index.to_period("M").to_numpy()
starts = np.append(True, first[1:] != first[:-1])
equal = np.full(prices.shape, 1.0 / prices.shape[1])
size = pd.DataFrame(np.where(starts[:, None], equal, np.nan), prices.index, prices.columns)
out = {}
for fee in (0.0, 0.001):
    run = vbt.Portfolio.from_orders(prices, size, size_type="targetpercent", group_by=True, cash_sharing=True,
                                    call_seq="auto", fees=fee, init_cash=float(sys.argv[2]), freq="1D")
    out[str(fee)] = run.value().tolist()
print(json.dumps(out))
"""


def random_prices() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    steps = rng.normal(0.0003, 0.01, (T, 1)) + rng.normal(0.0, 0.012, (T, N))
    names = [f"S{j}" for j in range(N)]
    return pd.DataFrame(50.0 * np.exp(np.cumsum(steps, axis=0)), pd.bdate_range("2018-01-01", periods=T), names)


def ours(prices: pd.DataFrame, fee: float) -> pd.Series[float]:
    bars = {name: pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices[name])) for name in prices}
    weights = dict.fromkeys(prices, 1.0 / N)
    result = at.backtest(bars, weights=weights, rebalance="1mo", fill="same_close", commission=fee, cash=CASH)
    return result.equity


def of_bt(prices: pd.DataFrame, fee: float) -> pd.Series[float]:
    import bt

    algos = [
        bt.algos.RunMonthly(run_on_first_date=True),
        bt.algos.SelectAll(),
        bt.algos.WeighEqually(),
        bt.algos.Rebalance(),
    ]
    test = bt.Backtest(
        bt.Strategy("equal", algos),
        prices,
        initial_capital=CASH,
        commissions=lambda quantity, price: fee * abs(quantity) * price,
        integer_positions=False,
        progress_bar=False,
    )
    bt.run(test)
    values: pd.Series[float] = test.strategy.values
    return values.reindex(prices.index)


def told(name: str, fee: float, mine: pd.Series[float], theirs: pd.Series[float]) -> None:
    apart = (mine / theirs - 1.0).abs()
    largest, last = apart.max(), apart.iloc[-1]
    print(f"  {name:9} commission {fee:5.3f}: equity differs by {largest:.1e} at most, by {last:.1e} at the end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectorbt", metavar="PYTHON", help="an interpreter that has vectorbt")
    chosen = parser.parse_args()
    prices = random_prices()
    print(f"equal weights, monthly, {N} instruments x {T:,} days")
    for fee in (0.0, 0.001):
        told("bt", fee, ours(prices, fee), of_bt(prices, fee))
    if chosen.vectorbt:
        folder = Path(__file__).parent / "out"
        folder.mkdir(exist_ok=True)
        path = folder / "cross_check_prices.csv"
        prices.to_csv(path, float_format="%.17g")
        done = subprocess.run(
            [chosen.vectorbt, "-c", PEER, str(path), str(CASH)], capture_output=True, text=True, check=True, env={}
        )
        for fee, values in json.loads(done.stdout.splitlines()[-1]).items():
            told("vectorbt", float(fee), ours(prices, float(fee)), pd.Series(values, prices.index))


if __name__ == "__main__":
    main()
