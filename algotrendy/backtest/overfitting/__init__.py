"""Statistics that tell skill from the luck of having tried much: CSCV, reality check, SPA, Romano-Wolf.

Each takes the returns of all strategies that were tried, one column per strategy. `reference` does the same slowly and
plainly. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.backtest.overfitting.cscv import PboResult, probability_of_backtest_overfitting
    from algotrendy.backtest.overfitting.stepdown import RomanoWolfResult, romano_wolf
    from algotrendy.backtest.overfitting.superiority import RealityCheckResult, SpaResult, reality_check, spa_test

_HOME_OF = {
    "PboResult": ".cscv",
    "RealityCheckResult": ".superiority",
    "RomanoWolfResult": ".stepdown",
    "SpaResult": ".superiority",
    "probability_of_backtest_overfitting": ".cscv",
    "reality_check": ".superiority",
    "romano_wolf": ".stepdown",
    "spa_test": ".superiority",
}

__all__ = [
    "PboResult",
    "RealityCheckResult",
    "RomanoWolfResult",
    "SpaResult",
    "probability_of_backtest_overfitting",
    "reality_check",
    "romano_wolf",
    "spa_test",
]

__getattr__ = lazy_names(__name__, _HOME_OF)
