"""A worked example of attribution over several periods: four quarters, linked as Carino says.

Bacon, C. (2008). Practical Portfolio Performance Measurement and Attribution, second edition, chapter 8, tables 8.1
(the data, and the effects of each quarter) and 8.2 (linked). Selection has the interaction in it. The R package
PortfolioAttribution tests itself with the same tables.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algotrendy.portfolio import brinson, carino_factors

QUARTERS = pd.period_range("2016Q1", periods=4, freq="Q").to_timestamp(how="end").normalize()
MARKETS = ["UK equities", "Japanese equities", "US equities"]


def table(*rows: tuple[float, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, QUARTERS, MARKETS)


BACON = (
    table((0.4, 0.3, 0.3), (0.7, 0.2, 0.1), (0.3, 0.5, 0.2), (0.3, 0.5, 0.2)),
    table((0.2, -0.05, 0.06), (-0.05, 0.03, -0.05), (-0.2, 0.08, -0.15), (0.1, -0.07, 0.25)),
    table((0.4, 0.2, 0.4), (0.4, 0.3, 0.3), (0.5, 0.4, 0.1), (0.4, 0.4, 0.2)),
    table((0.1, -0.04, 0.08), (-0.07, 0.04, -0.1), (-0.25, 0.05, -0.2), (0.05, -0.05, 0.1)),
)
ALLOCATION = [(0, -104, -16), (-72, -86, 108), (250, 175, -75), (-30, -70, 0)]
SELECTION = [(400, -30, -60), (140, -20, 50), (150, 150, 100), (150, -100, 300)]
LINKED_ALLOCATION = [(0, -94, -14), (-73, -87, 109), (266, 186, -80), (-28, -66, 0)]
LINKED_SELECTION = [(362, -27, -54), (142, -20, 51), (160, 160, 106), (141, -94, 282)]
"""In hundredths of a per cent, as printed: by quarter, for the three markets."""
TOTAL = {"allocation": (165, -60, 15), "selection": (804, 18, 385)}
HALF, DIGIT = 0.51e-4, 1.0e-4
"""Half of the last digit that is printed, and the whole of it for what was summed of rounded figures."""


def test_the_effects_of_each_quarter() -> None:
    found = brinson(*BACON, interaction=False)
    for place, quarter in enumerate(QUARTERS):
        one = brinson(*(side.loc[[quarter]] for side in BACON), interaction=False).linked
        assert one["allocation"].to_numpy() == pytest.approx(np.array(ALLOCATION[place]) / 1e4, abs=HALF)
        assert one["selection"].to_numpy() == pytest.approx(np.array(SELECTION[place]) / 1e4, abs=HALF)
    assert abs(found.residual) < 1e-15


def test_the_quarters_linked() -> None:
    found = brinson(*BACON, interaction=False)
    for effect, printed in TOTAL.items():
        assert found.linked[effect].to_numpy() == pytest.approx(np.array(printed) / 1e4, abs=DIGIT)
    assert found.total.to_dict() == pytest.approx({"allocation": 0.0120, "selection": 0.1207}, abs=DIGIT)
    factors = carino_factors(found.returns, found.benchmark_returns)
    plain = {"allocation": ALLOCATION, "selection": SELECTION}
    for effect, printed in (("allocation", LINKED_ALLOCATION), ("selection", LINKED_SELECTION)):
        assert factors[:, None] * np.array(plain[effect]) == pytest.approx(np.array(printed), abs=1.0)
