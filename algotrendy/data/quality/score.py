"""One number for a list of issues, from 0 to 100: how much there is to look at before the bars are trusted.

``score = 100 exp(-sum / 100)``, the sum over kinds and severities of ``points x log2(1 + c)``, where `c` adds up count
times certainty over the issues of that kind and severity, and an error has 10 points, a warning 4, an info 1.

So one certain error costs 10 points, each doubling of their number as much again, and a suspicion costs its share.
It counts faults, not their share of the bars: a wrong bar is a wrong bar in a long series too. Another issue, a larger
count or a surer finding never raises it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from algotrendy.data.quality.issue import Issue

POINTS = {"error": 10.0, "warning": 4.0, "info": 1.0}


def score_of(issues: Iterable[Issue]) -> float:
    """Return the score of a list of issues, in (0, 100]; 100 if there are none.

    Examples
    --------
    >>> score_of([])
    100.0
    """
    weight: dict[tuple[str, str], float] = defaultdict(float)
    for issue in issues:
        weight[issue.kind, issue.severity] += issue.score * max(issue.count, 1)
    cost = sum(POINTS[severity] * np.log2(1.0 + c) for (_, severity), c in weight.items())
    return float(100.0 * np.exp(-cost / 100.0))
