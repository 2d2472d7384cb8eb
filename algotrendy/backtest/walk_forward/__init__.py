"""Walk forward: choose parameters on one stretch of bars, trade them on the next, move on, and join what was traded.

`run.walk_forward` is the call; `windows` cuts the bars; `window` trains and reads the signals of one window, wherever
it is computed; `account` trades what the windows decided, by the engine; `result` is what comes back; `weights` is the
same walk for estimators that give the weights of several instruments. What carries over from one window to the next
stands in `docs/explanation/walk-forward.md`.
"""

from __future__ import annotations

from algotrendy.backtest.walk_forward.result import WalkForwardResult
from algotrendy.backtest.walk_forward.run import walk_forward
from algotrendy.backtest.walk_forward.weights import WeightEstimator, walk_forward_weights
from algotrendy.backtest.walk_forward.windows import Window, cut_windows

__all__ = ["WalkForwardResult", "WeightEstimator", "Window", "cut_windows", "walk_forward", "walk_forward_weights"]
