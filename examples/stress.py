"""What would happen to a book: scenarios, the autumn of 2008, and the smallest shock that costs a quarter."""

import pandas as pd

import algotrendy as at
from algotrendy.risk.alerts import AlertManager, AlertRule
from algotrendy.risk.monitor import RiskMonitor
from algotrendy.risk.stress import StressBook, StressTester, episode

closes = pd.DataFrame({"SPX": at.sample("SP500")["close"], "NDX": at.sample("NASDAQ")["close"]}).dropna()
returns = closes.pct_change().dropna()

book = StressBook(
    values={"SPX": 80_000.0, "NDX": 40_000.0},  # in the book's currency; negative is short
    equity=100_000.0,
    covariance=returns.cov(),
    history=returns,
    betas={"market": {"SPX": 1.0, "NDX": 1.2}},
)
scenarios = [
    {"name": "market_crash", "returns": -0.2},
    {"name": "volatility_spike", "volatility_multiplier": 2.0},
    {"kind": "asset_shock", "name": "technology", "shocks": {"NDX": -0.3}},
    {"kind": "correlation_to_one", "name": "all together"},
    episode("lehman_2008").scenario(),
]
limits = [{"kind": "daily_loss", "limit": "0.25"}, {"kind": "gross_leverage", "limit": "1.3"}]

tester = StressTester(confidence_level=0.99)
print(tester.run(book, scenarios, limits).to_frame()[["name", "loss", "breached"]].round(4).to_string(index=False))

simulated = tester.monte_carlo(book, 50_000, degrees_of_freedom=4, volatility_multiplier=2.0)
print(f"ES of 99 % if the volatility doubles, with fat tails: {simulated.expected_shortfall:.1%} of equity")

smallest = tester.reverse(book, loss=0.25)
print({symbol: round(value, 3) for symbol, value in smallest.shock.items()}, f"{smallest.distance:.1f} deviations away")
print(f"or the market at {tester.reverse(book, loss=0.25, factor='market').factor_return:.1%}")

# The same book day by day: an alert when it is a tenth below its peak, over when it is back to 8 %.
rule = AlertRule(id="deep", measure="drawdown", level=0.10, hysteresis=0.02, cooldown_seconds=7 * 86_400)
monitor = RiskMonitor(AlertManager([rule]))
equity = 100_000 * (1 + returns["SPX"]).cumprod()
for day, value in equity["2008"].items():
    for alert in monitor.update("port_1", equity=value, at=day.tz_localize("UTC")):
        print(day.date(), alert.status, alert.message)
