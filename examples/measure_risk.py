"""How much can be lost: value at risk by ten methods, a backtest of one, drawdowns, and who carries the risk."""

import warnings

import pandas as pd

import algotrendy as at
from algotrendy import risk

closes = pd.concat({name: at.sample(name)["close"] for name in ("SP500", "NASDAQ")}, axis=1).dropna()
returns = closes.pct_change().dropna()
sp500 = returns["SP500"]

print("the worst day of a hundred, and the mean of such days")
for method in (
    "historical", "parametric", "student_t", "cornish_fisher", "ewma", "garch", "filtered_historical", "evt",
    "monte_carlo", "age_weighted",
):  # fmt: skip
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = risk.tail_risk(sp500, 0.99, method=method)
    note = "outside its domain" if told else ""
    print(f"  {method:20} {found.value_at_risk:7.2%} {found.expected_shortfall:7.2%}  {note}".rstrip())

print("ten days:", f"{risk.value_at_risk(sp500, 0.99, method='garch', horizon=10):.2%}")

test = risk.backtest_var(sp500, "historical", window=250, confidence_level=0.99)
print(f"\n{test.n_exceptions} of {test.n_periods} days were worse than said, {test.expected_exceptions:.0f} expected:")
print(f"  Kupiec {test.kupiec.p_value:.4f}, independence {test.christoffersen.independence.p_value:.4f},"
      f" shortfall {test.acerbi_szekely.p_value_z2:.4f}, light {test.traffic_light.zone}")  # fmt: skip

print("\nthe three deepest drawdowns")
print(risk.drawdown_table(sp500, 3).to_string(index=False))

print("\nwho carries the risk of a book of half and half")
print(risk.risk_contributions(returns, {"SP500": 0.5, "NASDAQ": 0.5}, confidence_level=0.99).round(4).to_string())

print("\neverything of both")
print(risk.metrics(returns, benchmark=sp500, periods_per_year=252, risk_free_rate=0.02).round(4).to_string())
