"""Look-ahead: proof for strategies that are text, intervention for everything else.

`check_lookahead(strategy, bars)` is the one call; `docs/explanation/look-ahead.md` says how it works and what it can
and cannot say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.backtest.lookahead.check import check_lookahead
    from algotrendy.backtest.lookahead.proof import Proof
    from algotrendy.backtest.lookahead.report import Detection, Example, Leak, LookaheadReport
    from algotrendy.backtest.lookahead.warm_up import WarmUp

_HOME_OF = {
    "Detection": ".report",
    "Example": ".report",
    "Leak": ".report",
    "LookaheadReport": ".report",
    "Proof": ".proof",
    "WarmUp": ".warm_up",
    "check_lookahead": ".check",
}

__all__ = ["Detection", "Example", "Leak", "LookaheadReport", "Proof", "WarmUp", "check_lookahead"]

__getattr__ = lazy_names(__name__, _HOME_OF)
