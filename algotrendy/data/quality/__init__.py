"""Quality of bars: find faults, say how sure that is and what shows it, and repair them with a record of each change.

`check_quality` looks, `repair` does what the issues propose, `register_check` adds a check of one's own. No check knows
a symbol. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.data.quality.check import check_quality, known_kinds
    from algotrendy.data.quality.issue import Issue, Remedy
    from algotrendy.data.quality.mending import Repaired, repair
    from algotrendy.data.quality.registry import Check, checks, register_check, unregister_check
    from algotrendy.data.quality.report import QualityReport
    from algotrendy.data.quality.subject import Subject

__all__ = [
    "Check",
    "Issue",
    "QualityReport",
    "Remedy",
    "Repaired",
    "Subject",
    "check_quality",
    "checks",
    "known_kinds",
    "register_check",
    "repair",
    "unregister_check",
]

_HOMES = {
    "Check": ".registry",
    "Issue": ".issue",
    "QualityReport": ".report",
    "Remedy": ".issue",
    "Repaired": ".mending",
    "Subject": ".subject",
    "check_quality": ".check",
    "checks": ".registry",
    "known_kinds": ".check",
    "register_check": ".registry",
    "repair": ".mending",
    "unregister_check": ".registry",
}

__getattr__ = lazy_names(__name__, _HOMES)
