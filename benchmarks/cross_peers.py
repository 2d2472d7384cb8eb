"""One strategy in the words of each peer; `cross_check.py` runs this in an environment that has the peer.

`python cross_peers.py NAME FOLDER` reads `FOLDER/bars.csv` (and for quantstats `FOLDER/returns.csv`), and writes the
trades or fills of each run beside it, and on the last line of its output what the library itself reports, as JSON.
No line here knows algotrendy.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cross_risk import risk

FAST, SLOW, CASH, FEE, STOP, SHARES = 20, 50, 100_000.0, 0.001, 0.05, 10
Figures = dict[str, dict[str, float]]


def read_bars(folder: Path) -> pd.DataFrame:
    """Return the bars with the column names that all peers know."""
    return pd.read_csv(folder / "bars.csv", index_col=0, parse_dates=True).rename(columns=str.capitalize)


def vectorbt(folder: Path) -> Figures:
    """Signals filled at the close (its way), at the next open, and with a stop."""
    import vectorbt as vbt

    bars = read_bars(folder)
    close = bars["Close"]
    fast, slow = vbt.MA.run(close, FAST).ma, vbt.MA.run(close, SLOW).ma
    entries, exits = fast > slow, fast <= slow
    late = {"entries": entries.shift(1, fill_value=False), "exits": exits.shift(1, fill_value=False)}
    events = fast.vbt.crossed_above(slow), fast.vbt.crossed_below(slow)
    ohlc = {"open": bars["Open"], "high": bars["High"], "low": bars["Low"]}
    common = {"init_cash": CASH, "fees": FEE, "freq": "1D"}
    runs = {
        "its way": vbt.Portfolio.from_signals(close, entries, exits, **common),
        "next open": vbt.Portfolio.from_signals(close, **late, price=bars["Open"], **common),
        "stop": vbt.Portfolio.from_signals(close, entries, exits, sl_stop=STOP, **ohlc, **common),
        "stop, events": vbt.Portfolio.from_signals(close, *events, sl_stop=STOP, **ohlc, **common),
    }
    found: Figures = {}
    for name, run in runs.items():
        run.orders.records_readable.to_csv(folder / f"vectorbt {name}.csv", index=False)
        stats = run.stats()
        found[name] = {str(key): float(stats[key]) for key in stats.index if isinstance(stats[key], float | int)}
        found[name] |= {
            "final_value()": float(run.final_value()),
            "sharpe_ratio()": float(run.sharpe_ratio()),
            "sharpe_ratio(), year_freq='252 days'": float(run.returns_acc(year_freq="252 days").sharpe_ratio()),
            "sortino_ratio()": float(run.sortino_ratio()),
            "annualized_return()": float(run.annualized_return()),
            "annualized_volatility()": float(run.annualized_volatility()),
            "max_drawdown()": float(run.max_drawdown()),
        }
    return found


def backtesting(folder: Path) -> Figures:
    """Whole units at the next open (its way), fractions of units, the close of the signal, and an end that closes."""
    from backtesting import Backtest, Strategy
    from backtesting.lib import FractionalBacktest

    class Cross(Strategy):
        def init(self) -> None:
            close = pd.Series(self.data.Close)
            self.fast = self.I(lambda: close.rolling(FAST).mean())
            self.slow = self.I(lambda: close.rolling(SLOW).mean())

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1] and not self.position:
                self.buy()
            elif self.fast[-1] <= self.slow[-1] and self.position:
                self.position.close()

    bars = read_bars(folder)
    runs = {
        "its way": Backtest(bars, Cross, cash=CASH, commission=FEE, finalize_trades=True),
        "fractional": FractionalBacktest(bars, Cross, fractional_unit=1e-6, cash=CASH, commission=FEE),
        "trade on close": Backtest(bars, Cross, cash=CASH, commission=FEE, trade_on_close=True, finalize_trades=True),
    }
    found: Figures = {}
    for name, test in runs.items():
        stats = test.run()
        stats["_trades"].to_csv(folder / f"backtesting {name}.csv", index=False)
        found[name] = {key: float(stats[key]) for key in stats.index if isinstance(stats[key], float | int)}
    return found


def bt(folder: Path) -> Figures:
    """Equal weights of eight instruments, monthly, at the close of the day of the decision, without and with costs."""
    import bt as library

    prices = pd.read_csv(folder / "prices.csv", index_col=0, parse_dates=True)
    found: Figures = {}
    for name, fee in (("no costs", 0.0), ("commission 0.1 %", FEE)):
        algos = library.algos
        steps = [algos.RunMonthly(run_on_first_date=True), algos.SelectAll(), algos.WeighEqually(), algos.Rebalance()]
        test = library.Backtest(
            library.Strategy("equal", steps),
            prices,
            initial_capital=10 * CASH,
            commissions=lambda quantity, price, rate=fee: rate * abs(quantity) * price,
            integer_positions=False,
            progress_bar=False,
        )
        result = library.run(test)
        values = test.strategy.values.reindex(prices.index)
        values.to_csv(folder / f"bt {name}.csv")
        stats = result.stats["equal"]
        kept = ("daily_sharpe", "daily_sortino", "daily_vol", "cagr", "max_drawdown", "total_return")
        found[name] = {"final value": float(values.iloc[-1]), **{key: float(stats[key]) for key in kept}}
    return found


def vectorbt_weights(folder: Path) -> Figures:
    """Write the same weights in vectorbt."""
    import vectorbt as vbt

    prices = pd.read_csv(folder / "prices.csv", index_col=0, parse_dates=True)
    month = prices.index.to_period("M").to_numpy()
    starts = np.append(True, month[1:] != month[:-1])
    equal = np.full(prices.shape, 1.0 / prices.shape[1])
    size = pd.DataFrame(np.where(starts[:, None], equal, np.nan), prices.index, prices.columns)
    options = {"size_type": "targetpercent", "group_by": True, "cash_sharing": True, "call_seq": "auto", "freq": "1D"}
    found: Figures = {}
    for name, fee in (("no costs", 0.0), ("commission 0.1 %", FEE)):
        run = vbt.Portfolio.from_orders(prices, size, fees=fee, init_cash=10 * CASH, **options)
        run.value().to_csv(folder / f"vectorbt weights {name}.csv")
        found[name] = {"final value": float(run.final_value())}
    return found


def quantstats(folder: Path) -> Figures:
    """Its figures of the returns of our run, its defaults and what it can be told."""
    import quantstats as qs

    returns = pd.read_csv(folder / "returns.csv", index_col=0, parse_dates=True)["return"]
    stats = qs.stats
    gains = returns.abs()
    gains.iloc[0] = 1.5  # an honest series of gains, one of them above 100 %
    gains = gains.iloc[:252]
    figures = {
        "comp": stats.comp(returns),
        "cagr": stats.cagr(returns),
        "volatility": stats.volatility(returns),
        "sharpe": stats.sharpe(returns),
        "sharpe(rf=0.02)": stats.sharpe(returns, rf=0.02),
        "sortino": stats.sortino(returns),
        "sortino(rf=0.02)": stats.sortino(returns, rf=0.02),
        "max_drawdown": stats.max_drawdown(returns),
        "calmar": stats.calmar(returns),
        "win_rate": stats.win_rate(returns),
        "profit_factor": stats.profit_factor(returns),
        "exposure": stats.exposure(returns),
        "value_at_risk": stats.value_at_risk(returns),
        "expected_shortfall": stats.expected_shortfall(returns),
        "cvar(method='historical')": stats.cvar(returns, method="historical"),
        "probabilistic_ratio": stats.probabilistic_ratio(returns),
        "recovery_factor": stats.recovery_factor(returns),
        "ulcer_index": stats.ulcer_index(returns),
        "payoff_ratio": stats.payoff_ratio(returns),
        "kelly_criterion": stats.kelly_criterion(returns),
        "tail_ratio": stats.tail_ratio(returns),
        "risk_of_ruin": stats.risk_of_ruin(returns),
        "volatility of gains": stats.volatility(gains),
        "max_drawdown of a first loss": stats.max_drawdown(pd.Series([-0.5, 0.1, 0.1], returns.index[:3])),
    }
    return {"returns": {name: float(value) for name, value in figures.items()}}


def zipline(folder: Path) -> Figures:
    """Target percent (its way) with no slippage, the same with its default costs, and a fixed number of shares."""
    os.environ["ZIPLINE_ROOT"] = str(folder / "zipline")
    from zipline import run_algorithm
    from zipline.api import order_target, order_target_percent, set_commission, set_slippage, symbol
    from zipline.data import bundles
    from zipline.finance import commission, slippage

    bars = read_bars(folder).rename(columns=str.lower)

    def ingest(environ, assets, minutes, daily, adjustments, calendar, start, end, cache, show, out):  # type: ignore
        daily.write([(0, bars)], show_progress=False)
        row = {"symbol": "IX", "asset_name": "IX", "start_date": bars.index[0], "end_date": bars.index[-1]}
        row |= {"auto_close_date": bars.index[-1] + pd.Timedelta(days=1), "exchange": "NYSE"}
        assets.write(equities=pd.DataFrame([row]))
        adjustments.write()

    options = {"calendar_name": "XNYS", "start_session": bars.index[0], "end_session": bars.index[-1]}
    bundles.register("cross", ingest, **options)
    bundles.ingest("cross", show_progress=False)

    def run(order: Any, *, costs: Any = None, slip: Any = None) -> pd.DataFrame:
        def initialize(context: Any) -> None:
            context.seen, context.asset = 0, symbol("IX")
            if costs is not None:
                set_commission(costs)
            if slip is not None:
                set_slippage(slip)

        def handle_data(context: Any, data: Any) -> None:
            context.seen += 1
            if context.seen < SLOW:
                return
            close = data.history(context.asset, "close", SLOW, "1d").to_numpy()
            held = context.portfolio.positions[context.asset].amount
            if close[-FAST:].mean() > close.mean():
                if not held:
                    order(context.asset, True)
            elif held:
                order(context.asset, False)

        return run_algorithm(
            start=bars.index[0],
            end=bars.index[-1],
            initialize=initialize,
            handle_data=handle_data,
            capital_base=CASH,
            bundle="cross",
            benchmark_returns=pd.Series(0.0, bars.index.tz_localize("UTC")),
        )

    def percent(asset: Any, wanted: bool) -> None:
        order_target_percent(asset, float(wanted))

    def shares(asset: Any, wanted: bool) -> None:
        order_target(asset, SHARES if wanted else 0)

    free = slippage.NoSlippage()
    runs = {
        "its way": run(percent, costs=commission.PerDollar(FEE), slip=free),
        "its default costs": run(percent),
        "shares": run(shares, costs=commission.PerDollar(FEE), slip=free),
        "shares, per share": run(shares, costs=commission.PerShare(0.05, min_trade_cost=1.0), slip=free),
        "shares, basis points": run(
            shares, costs=commission.PerTrade(2.0), slip=slippage.FixedBasisPointsSlippage(5.0, 1.0)
        ),
    }
    found: Figures = {}
    for name, perf in runs.items():
        _zipline_fills(perf).to_csv(folder / f"zipline {name}.csv", index=False)
        perf["portfolio_value"].to_csv(folder / f"zipline {name} equity.csv")
        last = perf.iloc[-1]
        kept = ("portfolio_value", "algorithm_period_return", "algo_volatility", "sharpe", "sortino", "max_drawdown")
        found[name] = {key: float(last[key]) for key in kept}
        found[name]["lowest ending_cash"] = float(perf["ending_cash"].min())
    return found


def _zipline_fills(perf: pd.DataFrame) -> pd.DataFrame:
    charged: dict[str, float] = {}
    for orders in perf["orders"]:
        charged |= {order["id"]: float(order["commission"]) for order in orders}
    taken: dict[str, float] = {}
    rows = []
    for fills in perf["transactions"]:
        for fill in fills:
            fee = 0.0 if fill["order_id"] in taken else charged[fill["order_id"]]
            taken[fill["order_id"]] = fee
            side = "buy" if fill["amount"] > 0 else "sell"
            day = fill["dt"].tz_localize(None).normalize()
            rows.append((day, side, abs(fill["amount"]), fill["price"], fee))
    return pd.DataFrame(rows, columns=["time", "side", "quantity", "price", "commission"])


PACKAGES = {
    "risk": (risk, "empyrical-reloaded", "quantstats", "ffn", "vectorbt"),
    "vectorbt": (vectorbt, "vectorbt"),
    "vectorbt_weights": (vectorbt_weights, "vectorbt"),
    "backtesting": (backtesting, "backtesting"),
    "bt": (bt, "bt"),
    "quantstats": (quantstats, "quantstats"),
    "zipline": (zipline, "zipline-reloaded"),
}


def main(name: str, folder: Path) -> None:
    """Run one peer and print what it reports."""
    warnings.simplefilter("ignore")
    function, *packages = PACKAGES[name]
    versions = {each: version(each) for each in (*packages, "pandas", "numpy")}
    print(json.dumps({"versions": versions, "runs": function(folder)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
