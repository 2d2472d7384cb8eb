"""The bars of a search, of one instrument or of several: what is searched, and how finalists are judged behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from algotrendy.backtest.discovery.judge import SearchJudge, Tested, held_returns, tested
from algotrendy.backtest.discovery.judge_panel import PanelJudge, held_equally, tested_together
from algotrendy.backtest.engine import Options
from algotrendy.backtest.fingerprint import bars_fingerprint, options_fingerprint
from algotrendy.backtest.setting import Setting
from algotrendy.backtest.walk_forward.ground import Ground
from algotrendy.domain.types import Float1D
from algotrendy.strategy import Strategy

__all__ = ["OneScene", "PanelScene", "Scene"]


class Scene(Protocol):
    """All bars of a search, and their account."""

    @property
    def bars(self) -> Any:
        """All bars, as they were given."""

    @property
    def index(self) -> Any:
        """The stamps of all bars."""

    @property
    def options(self) -> Options:
        """Conventions of the account."""

    @property
    def assumptions(self) -> Mapping[str, Any]:
        """The same in plain values."""

    @property
    def fingerprints(self) -> dict[str, str]:
        """What bars and options come to, for a file."""

    def judge(self, end: int, parts: int) -> SearchJudge | PanelJudge:
        """Return what tries candidates on the bars before `end`."""

    def tested(self, strategy: Strategy, begin: int) -> Tested:
        """Return what came of a strategy from a bar on."""

    def held(self, begin: int) -> Float1D:
        """Return the returns of holding from a bar on."""


@dataclass(frozen=True, eq=False)
class OneScene:
    """Bars of one instrument; see `Scene`."""

    bars: Any
    setting: Setting
    given: Mapping[str, Any]

    @property
    def index(self) -> Any:
        """The stamps of all bars."""
        return self.bars.index

    @property
    def options(self) -> Options:
        """Conventions of the account."""
        return self.setting.options

    @property
    def assumptions(self) -> Mapping[str, Any]:
        """The same in plain values."""
        return self.setting.assumptions

    @property
    def fingerprints(self) -> dict[str, str]:
        """What bars and options come to, for a file."""
        return {"bars": bars_fingerprint(self.bars), "options": options_fingerprint(self.assumptions)}

    def judge(self, end: int, parts: int) -> SearchJudge:
        """Return what tries candidates on the bars before `end`."""
        fixed = {"interval": self.assumptions["interval"], "periods_per_year": self.options.periods_per_year}
        return SearchJudge(self.bars.iloc[:end], {**self.given, **fixed}, parts)

    def tested(self, strategy: Strategy, begin: int) -> Tested:
        """Return what came of a strategy from a bar on."""
        return tested(strategy, self.setting, begin)

    def held(self, begin: int) -> Float1D:
        """Return the returns of buying and holding from a bar on."""
        return held_returns(self.setting, begin)


@dataclass(frozen=True, eq=False)
class PanelScene:
    """Bars of several instruments with one account; see `Scene`."""

    bars: Any
    ground: Ground

    @property
    def index(self) -> Any:
        """The stamps of all bars."""
        return self.ground.panel.index

    @property
    def options(self) -> Options:
        """Conventions of the account."""
        return self.ground.whole.options

    @property
    def assumptions(self) -> Mapping[str, Any]:
        """The same in plain values."""
        return self.ground.whole.assumptions

    @property
    def fingerprints(self) -> dict[str, str]:
        """What bars and options come to, for a file."""
        return {"bars": self.ground.bars_fingerprint, "options": self.ground.options_fingerprint}

    def judge(self, end: int, parts: int) -> PanelJudge:
        """Return what tries candidates on the bars before `end`."""
        panel, given = self.ground.training(0, end)
        return PanelJudge(panel, given, self.options, parts)

    def tested(self, strategy: Strategy, begin: int) -> Tested:
        """Return what came of a strategy from a bar on."""
        return tested_together(strategy, self.ground, begin)

    def held(self, begin: int) -> Float1D:
        """Return the returns of holding equal parts from a bar on."""
        return held_equally(self.ground, begin)
