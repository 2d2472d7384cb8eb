"""Bars in CSV and Parquet files: one file for each symbol in a folder, or one file with a column `symbol`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from algotrendy.data.files import read_csv, read_parquet
from algotrendy.data.providers.local.common import answered
from algotrendy.data.providers.port import Capabilities, Fetched
from algotrendy.data.providers.symbols import Symbol
from algotrendy.data.series import Adjusted, BarsRequest
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.errors import DataError, InputError

NAME = "files"
_ENDINGS = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".parquet")


class FilesSettings(BaseSettings):
    """Settings of `FilesProvider`.

    Examples
    --------
    >>> FilesSettings(path="prices").adjusted
    'raw'
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_FILES_", frozen=True, extra="forbid")

    path: Path = Field(description="A folder with one file for each symbol, or one file with a column `symbol`.")
    adjusted: Adjusted = Field(default="raw", description="How the prices in the files are adjusted.")
    venue: str = Field(default="FILES", description="The market that the instruments get.")
    read: dict[str, Any] = Field(default_factory=dict, description="Further arguments of `read_csv` or `read_parquet`.")


class FilesProvider:
    """Bars from files.

    A file is found by its symbol in any of its usual forms (`BTC-USDT.csv`, `BTCUSDT.parquet`, `BRK.B.csv.gz`), in any
    case of letters. Covered is what the file holds.

    Parameters
    ----------
    settings : FilesSettings
    """

    name = NAME

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self.capabilities = Capabilities(
            intervals=None,
            asset_classes=frozenset(AssetClass),
            adjusted=frozenset({settings.adjusted}),
            dated_tickers=True,
            local=True,
        )

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars; see `Provider.bars`."""
        self.capabilities.require(request, NAME)
        symbol = Symbol.of(request.symbol, request.asset_class)
        bars = await asyncio.to_thread(self._read, symbol)
        instrument = Instrument(asset_class=request.asset_class, venue=self._settings.venue, symbol=symbol.canonical)
        return answered(bars, request, NAME, instrument)

    async def close(self) -> None:
        """Nothing is held."""

    def _read(self, symbol: Symbol) -> pd.DataFrame:
        path = self._settings.path
        if path.is_dir():
            return self._bars_in(_file_of(path, symbol), None)
        if not path.is_file():
            raise DataError(f"there is no file or folder {path}")
        try:
            return self._bars_in(path, symbol.canonical)
        except InputError as e:
            if "is not in column" in str(e):
                raise DataError(f"{path.name} holds no {symbol.canonical!r}: {e}") from e
            raise

    def _bars_in(self, path: Path, symbol: str | None) -> pd.DataFrame:
        reader = read_parquet if path.suffix == ".parquet" else read_csv
        return reader(path, **{**({"symbol": symbol} if symbol else {}), **self._settings.read})


def _file_of(folder: Path, symbol: Symbol) -> Path:
    """Return the file of a symbol: chosen from those that are there, so that no symbol leads elsewhere."""
    forms = {symbol.joined(sign).lower() for sign in ("/", "-", "_", ".", "", "%2F")}
    stems = {path: _stem(path.name) for path in sorted(folder.iterdir()) if path.name.lower().endswith(_ENDINGS)}
    found = [path for path, stem in stems.items() if stem.lower() in {form.lower() for form in forms}]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{', '.join(path.name for path in found)} may all be {symbol.canonical}; leave one in {folder}"
        )
    offered = ", ".join(list(stems.values())[:20])
    raise DataError(f"there is no file for {symbol.canonical!r} in {folder}; there are: {offered or 'none'}")


def _stem(name: str) -> str:
    ending = next(ending for ending in sorted(_ENDINGS, key=len, reverse=True) if name.lower().endswith(ending))
    return name[: -len(ending)]
