"""What would happen to a book: scenarios, episodes of history, simulated days, and the smallest shock that hurts.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.risk.stress.book import StressBook
    from algotrendy.risk.stress.episodes import EPISODES, Episode, episode
    from algotrendy.risk.stress.monte_carlo import MonteCarloStress, monte_carlo_stress
    from algotrendy.risk.stress.reverse import ReverseStress, reverse_stress
    from algotrendy.risk.stress.scenarios import (
        AssetShock,
        CorrelationToOne,
        FactorShock,
        HistoricalWindow,
        LiquidityDays,
        StressScenario,
        UniformReturn,
        VolatilityMultiplier,
        scenario_from,
    )
    from algotrendy.risk.stress.tester import ScenarioResult, StressTester, StressTestResult

_HOME_OF = {
    "AssetShock": ".scenarios",
    "CorrelationToOne": ".scenarios",
    "EPISODES": ".episodes",
    "Episode": ".episodes",
    "FactorShock": ".scenarios",
    "HistoricalWindow": ".scenarios",
    "LiquidityDays": ".scenarios",
    "MonteCarloStress": ".monte_carlo",
    "ReverseStress": ".reverse",
    "ScenarioResult": ".tester",
    "StressBook": ".book",
    "StressScenario": ".scenarios",
    "StressTestResult": ".tester",
    "StressTester": ".tester",
    "UniformReturn": ".scenarios",
    "VolatilityMultiplier": ".scenarios",
    "episode": ".episodes",
    "monte_carlo_stress": ".monte_carlo",
    "reverse_stress": ".reverse",
    "scenario_from": ".scenarios",
}

__all__ = [
    "EPISODES",
    "AssetShock",
    "CorrelationToOne",
    "Episode",
    "FactorShock",
    "HistoricalWindow",
    "LiquidityDays",
    "MonteCarloStress",
    "ReverseStress",
    "ScenarioResult",
    "StressBook",
    "StressScenario",
    "StressTestResult",
    "StressTester",
    "UniformReturn",
    "VolatilityMultiplier",
    "episode",
    "monte_carlo_stress",
    "reverse_stress",
    "scenario_from",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
