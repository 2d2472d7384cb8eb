"""Measure a portfolio, keep it within limits, stress it and watch it: one facade, and what it decides is kept."""

import tempfile
from pathlib import Path

from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.risk.limits import BookView, Exposure
from algotrendy.services import Platform
from algotrendy.storage import new_id

portfolio_id = new_id("port")
book = BookView(
    equity=100_000,
    cash=34_000,
    day_open_equity=100_400,
    peak_equity=101_000,
    exposures=[
        Exposure(symbol="NASDAQ", quantity=6, price=6_600),
        Exposure(symbol="SP500", quantity=10, price=2_640),
    ],
)

with tempfile.TemporaryDirectory() as folder:  # keep it where you like: by default beside the caches
    platform = Platform.local(settings=Settings(source="sample", ledger=False), home=Path(folder))
    risk = platform.risk
    measured = wait_for(risk.calculate_portfolio_risk(book))
    print(f"VaR {measured.var_95:.2%}, shortfall {measured.expected_shortfall:.2%}, beta {measured.beta:.2f}")

    limits = {"limits": [{"kind": "concentration", "limit": "0.45"}], "version": 0, "updated_by": "ann"}
    print("limits, version", wait_for(risk.update_limits(portfolio_id, limits)).version)

    order = {"symbol": "NASDAQ", "side": "BUY", "quantity": 1}
    denied = wait_for(risk.reserve_order(order, book, portfolio_id=portfolio_id))
    print(denied.approved, denied.check.message)

    scenarios = [
        {"name": "market_crash", "returns": -0.2},
        {"name": "volatility_spike", "volatility_multiplier": 2.0},
        {"name": "lehman", "kind": "historical_window", "start": "2008-09-12", "end": "2008-11-20"},
    ]
    tested = wait_for(risk.run_stress_test(book, scenarios, portfolio_id=portfolio_id))
    for result in tested.results:
        print(f"{result.name}: {result.loss:.1%} lost")

    halted = {"state": "HALTED", "reason": "the feed is broken", "set_by": "ann"}
    print(wait_for(risk.set_trading_state(portfolio_id, halted)).state)
    wait_for(platform.close())
