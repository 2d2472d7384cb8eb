"""Limits on metrics, as text: which of the combinations that were tried may be chosen."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS

if TYPE_CHECKING:
    import pandas as pd

_named: Any = namedtuple


class Constraints:
    """A condition on metrics, such as `"max_drawdown < 0.3 and n_trades >= 30"`.

    A comparison with a metric that is not defined (NaN) is unknown, and what is unknown is not met.

    Parameters
    ----------
    text : str
        A condition of the expression language; the names are those of the metrics.

    Raises
    ------
    InputError
        If it is not text, or no condition.
    ExpressionError
        If it cannot be read, or names something that is no metric.

    Examples
    --------
    >>> limits = Constraints("max_drawdown < 0.3 and n_trades >= 30")
    >>> table = {name: np.zeros(3) for name in METRICS} | {"max_drawdown": [0.1, 0.5, np.nan], "n_trades": [40, 50, 60]}
    >>> limits.met(table).tolist()
    [True, False, False]
    """

    def __init__(self, text: str) -> None:
        from algotrendy.expressions import parse
        from algotrendy.expressions.catalogue import Catalogue, Name

        if not isinstance(text, str):
            raise InputError(
                f'constraints is {text!r}; give a condition on metrics, such as "max_drawdown < 0.3 and n_trades >= 30"'
            )
        self.text = text
        self._condition = parse(text, parameters={}, catalogue=Catalogue([Name(name) for name in METRICS]))
        if self._condition.kind != "condition":
            raise InputError(
                f'constraints is {text!r}, which is a number; give a condition, such as "max_drawdown < 0.3"'
            )

    def met(self, table: Mapping[str, Any] | pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Return for each row whether it meets the limits."""
        from algotrendy.expressions import evaluate_condition

        n_rows = len(table[METRICS[0]])
        if not n_rows:
            return np.zeros(0, dtype=bool)
        columns: Any = _named("columns", [*METRICS, "close"])
        values = [np.ascontiguousarray(table[name], dtype=np.float64) for name in METRICS]
        return evaluate_condition(self._condition, columns(*values, np.ones(n_rows)), {}).true
