"""Chart styles: bars of anything but equal time, made from bars or trades; as functions, by name, and as streams.

`renko(bars, size=1.0)` gives a DataFrame of completed rows with an index of its own; `chart(bars, "renko", size=1.0)`
is the same by name; `stream("renko", size=1.0)` gives the same rows event by event. `STYLES` says what there is.
Definitions: `docs/explanation/charts.md`.
"""

from __future__ import annotations

from algotrendy.charts import activity as _activity
from algotrendy.charts import bricks as _bricks
from algotrendy.charts import clock as _clock
from algotrendy.charts import lines as _lines
from algotrendy.charts.activity import dollar, imbalance, runs, tick, volume
from algotrendy.charts.bricks import range, renko
from algotrendy.charts.choice import Chart, by_time, chart
from algotrendy.charts.clock import heikin_ashi, time
from algotrendy.charts.feed import mid
from algotrendy.charts.lines import kagi, line_break, point_figure
from algotrendy.charts.plots import plot
from algotrendy.charts.registry import STYLES, ChartSpec, ChartStream, Parameter, register
from algotrendy.charts.streaming import Stream, stream

for _family in (_clock, _bricks, _lines, _activity):
    STYLES.add_builtin(_family.SPECS)

__all__ = [  # noqa: RUF022 - sorted as Python sorts, like every room
    "Chart",
    "ChartSpec",
    "ChartStream",
    "Parameter",
    "STYLES",
    "Stream",
    "by_time",
    "chart",
    "dollar",
    "heikin_ashi",
    "imbalance",
    "kagi",
    "line_break",
    "mid",
    "plot",
    "point_figure",
    "range",
    "register",
    "renko",
    "runs",
    "stream",
    "tick",
    "time",
    "volume",
]
