"""Draw the pictures of reports that the how-to shows: `python docs/report_pictures.py` writes `docs/_static/reports`.

The data are the sample of the package and trades made with a seed, so that the pictures are the same everywhere. Those
in the repository have been reduced to 64 colours, to be small.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import algotrendy as at
from algotrendy.backtest.report import compose
from algotrendy.domain.fill import Fill
from algotrendy.portfolio import LotBook, TaxRules, UsWashSale, brinson, tax_report
from algotrendy.reports import Document, PerformanceReport, render_pages

FOLDER = Path(__file__).resolve().parent / "_static" / "reports"
DATE = datetime.date(2026, 1, 31)
PPI = 88.0


def returns_of(name: str, label: str) -> pd.Series:
    """Return the daily returns of an index."""
    return at.sample(name)["close"].pct_change().iloc[1:].rename(label)


def performance(kind: str) -> Document:
    """Return a report on twenty years of the NASDAQ against the S&P 500."""
    fund, market = returns_of("NASDAQ", "NASDAQ"), returns_of("SP500", "S&P 500")
    return PerformanceReport(fund, market, title="NASDAQ Composite", report_type=kind, date=DATE).document


def backtest() -> Document:
    """Return the report on a run."""
    run: Any = at.backtest(at.strategies.sma_cross(20, 50), at.sample("NASDAQ"), cash=100_000, commission=0.001)
    return compose(run)


def tax() -> Document:
    """Return the closed lots of two years of trades, a wash sale among them."""
    rng = np.random.default_rng(3)
    book, start = LotBook(wash=UsWashSale()), datetime.datetime(2023, 1, 3, 15, tzinfo=datetime.UTC)
    trades = []
    for name, price in {"AAPL": 150.0, "JNJ": 165.0, "KO": 60.0, "MSFT": 280.0, "XOM": 105.0}.items():
        days = np.sort(rng.integers(0, 720, 6))
        for place, day in enumerate(days.tolist()):
            buys = place in (0, 1, 3)
            units = int(rng.integers(40, 120)) if buys else int(rng.integers(10, 40))
            trades.append((day, name, "BUY" if buys else "SELL", units, price * float(np.exp(rng.normal(0.0, 0.2)))))
    trades += [(300, "PFE", "BUY", 100, 34.0), (340, "PFE", "SELL", 100, 29.5), (352, "PFE", "BUY", 60, 28.75)]
    for number, (day, name, side, units, price) in enumerate(sorted(trades)):
        book = book.with_fill(
            Fill(
                execution_id=f"f{number}",
                instrument=name,
                side=side,  # type: ignore[arg-type]
                quantity=Decimal(units),
                price=Decimal(f"{price:.2f}"),
                commission=Decimal("1.50"),
                filled_at=start + datetime.timedelta(days=day),
            )
        )
    rows = tax_report(book.disposals, TaxRules(short_term_rate=Decimal("0.37"), long_term_rate=Decimal("0.20")))
    return PerformanceReport(report_type="tax", rows=rows, title="Lots closed in 2023 and 2024", date=DATE).document


def attribution() -> Document:
    """Return four quarters of a fund of six sectors against its benchmark."""
    rng = np.random.default_rng(8)
    sectors = ["Energy", "Financials", "Health care", "Industrials", "Technology", "Utilities"]
    quarters = pd.period_range("2025Q1", periods=4, freq="Q").to_timestamp(how="end").normalize()
    held, index = (pd.DataFrame(rng.dirichlet(np.full(6, 12.0), 4), quarters, sectors) for _ in range(2))
    of_index = pd.DataFrame(rng.normal(0.015, 0.05, (4, 6)), quarters, sectors)
    of_fund = of_index + rng.normal(0.003, 0.015, (4, 6))
    found = brinson(held, of_fund, index, of_index)
    title = "Why the fund did not do as its benchmark"
    return PerformanceReport(report_type="attribution", rows=found.linked, title=title, date=DATE).document


PICTURES: dict[str, tuple[Any, int]] = {
    "monthly-performance": (lambda: performance("monthly_performance"), 0),
    "risk": (lambda: performance("risk"), 0),
    "backtest": (backtest, 1),
    "tax": (tax, 0),
    "attribution": (attribution, 0),
}
"""The document and the page of each picture."""


def main() -> None:
    """Write all pictures."""
    for name, (document, page) in PICTURES.items():
        picture = render_pages(document(), date=DATE, ppi=PPI)[page]
        (FOLDER / f"{name}.png").write_bytes(picture)
        print(f"{name}: {len(picture) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
