"""The samples that come with a dependency, and synthetic bars, as providers: the same call as for a vendor."""

from __future__ import annotations

import asyncio
import datetime
import difflib
import re
from typing import Literal

import pandas as pd
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from algotrendy.data.generated import synthetic
from algotrendy.data.index_history import sample, samples
from algotrendy.data.providers.local.common import EVERY_ADJUSTMENT, answered
from algotrendy.data.providers.port import Capabilities, Fetched
from algotrendy.data.series import BarsRequest
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.domain.interval import Interval
from algotrendy.errors import DataError, InputError

_MODELS = ("garch", "jumps", "random_walk")
_SYNTHETIC = re.compile(r"(?P<model>[a-z_]+?)(?:-(?P<seed>\d{1,9}))?")
_SECONDS_PER_SESSION = {"sessions": 23_400, "24/7": 86_400}


class SampleProvider:
    """Real daily index history, `NASDAQ` and `SP500`, without a key or a network."""

    name = "sample"
    capabilities = Capabilities(
        intervals=frozenset({"1d"}),
        asset_classes=frozenset({AssetClass.INDEX, AssetClass.STOCK}),
        adjusted=EVERY_ADJUSTMENT,  # an index has no splits and pays nothing
        local=True,
    )

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, self.name)
        name = request.symbol.rpartition(":")[2]
        try:
            bars = await asyncio.to_thread(sample, name)
        except InputError as e:
            raise DataError(str(e)) from e
        instrument = Instrument(asset_class=AssetClass.INDEX, venue="SAMPLE", symbol=_sample_name(name))
        return answered(bars, request, self.name, instrument)

    async def close(self) -> None:
        """Nothing is held."""


class SyntheticSettings(BaseSettings):
    """Settings of `SyntheticProvider`: see `synthetic` for their meaning.

    Examples
    --------
    >>> SyntheticSettings(seed=7).calendar
    'sessions'
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_SYNTHETIC_", frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0, description="For symbols that name none.")
    start: str = Field(default="2000-01-03", description="The day of the first bar.")
    start_price: float = Field(default=100.0, gt=0, description="The close before the first bar.")
    drift: float = Field(default=0.05, description="Yearly growth of the expected price, continuous.")
    volatility: float = Field(default=0.2, ge=0, description="Yearly standard deviation of log returns.")
    calendar: Literal["sessions", "24/7"] = Field(default="sessions", description="When there are bars.")


class SyntheticProvider:
    """Seeded bars that no market made: the symbol is a model with a seed, such as `garch-7` or `random_walk`.

    A bar does not depend on the span that is asked for.

    Parameters
    ----------
    settings : SyntheticSettings, optional
    """

    name = "synthetic"
    capabilities = Capabilities(
        intervals=None, asset_classes=frozenset(AssetClass), adjusted=EVERY_ADJUSTMENT, local=True
    )

    def __init__(self, settings: SyntheticSettings | None = None) -> None:
        self._settings = settings or SyntheticSettings()

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, self.name)
        model, seed = self._series(request.symbol.rpartition(":")[2])
        n = _bars_until(request.span.end, self._settings, request.interval)
        chosen = self._settings.model_dump(exclude={"seed"})
        bars = await asyncio.to_thread(synthetic, n, seed=seed, model=model, interval=request.interval, **chosen)
        instrument = Instrument(
            asset_class=request.asset_class,
            venue="SYNTHETIC",
            symbol=f"{model}-{seed}",
            calendar=self._settings.calendar,
        )
        return answered(bars, request, self.name, instrument)

    async def close(self) -> None:
        """Nothing is held."""

    def _series(self, symbol: str) -> tuple[Literal["random_walk", "garch", "jumps"], int]:
        match = _SYNTHETIC.fullmatch(symbol.lower())
        for model in ("random_walk", "garch", "jumps"):
            if match is not None and match["model"] == model:
                return model, int(match["seed"] or self._settings.seed)
        near = difflib.get_close_matches(symbol.lower(), _MODELS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"there is no model {symbol!r}; there are {', '.join(_MODELS)}, each with a seed as in garch-7{hint}"
        )


def _sample_name(name: str) -> str:
    return next(known for known in samples() if known == name.upper().replace("&", "").replace(" ", ""))


def _bars_until(end: pd.Timestamp, settings: SyntheticSettings, interval: Interval) -> int:
    """Return how many bars lead from the first day to the end of a span, or a few more."""
    first = datetime.date.fromisoformat(settings.start)
    days = max(1, (end.tz_localize(None) - pd.Timestamp(first)).days + 2)
    if not interval.is_intraday:
        return days
    return days * -(-_SECONDS_PER_SESSION[settings.calendar] // (interval.seconds or 1))
