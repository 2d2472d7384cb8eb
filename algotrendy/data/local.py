"""The store and the loader of one machine, as the settings say: every provider by name, Parquet files by default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from algotrendy.config import Settings
from algotrendy.data import providers as rooms
from algotrendy.data.known_symbols import KnownSymbols
from algotrendy.data.loader import BarLoader
from algotrendy.data.providers.port import Provider
from algotrendy.data.store.parquet import ParquetStore
from algotrendy.home import default_home

if TYPE_CHECKING:
    from algotrendy.data.store.port import BarStore

__all__ = ["Providers", "bars_folder", "local_loader", "local_store"]


class Providers:
    """Providers by name, each made when it is first asked for and kept, since it counts its requests."""

    def __init__(self) -> None:
        self._made: dict[str, Provider] = {}

    def __call__(self, name: str) -> Provider:
        """Return the provider of this name; `yahoo+polygon` asks the second where the first cannot serve.

        Raises
        ------
        InputError
            If there is none: the message gives the nearest name.
        MissingExtraError
            If it needs a package that is not installed.
        """
        if name not in self._made:
            self._made[name] = self._several(name.split("+")) if "+" in name else rooms.get(name)
        return self._made[name]

    def _several(self, names: list[str]) -> Provider:
        return rooms.FallbackProvider([self(name.strip()) for name in names])

    async def close(self) -> None:
        """Close all that were made."""
        made, self._made = list(self._made.values()), {}
        for provider in made:
            await provider.close()


def bars_folder(home: Path | None = None) -> Path:
    """Return the folder for stored bars under `home`, by default the folder for caches; it is named, not made."""
    return (default_home() if home is None else home) / "bars"


def local_store(settings: Settings, home: Path | None = None) -> BarStore:
    """Return the store that the settings name: a database, or Parquet files under `home`.

    Nothing is written or opened before it is used.

    Raises
    ------
    InputError
        If the address in the settings is none.
    MissingExtraError
        If the driver of that database is not installed.
    """
    if settings.store_url is None:
        return ParquetStore(bars_folder(home))
    from algotrendy.data.store.sql import SqlStore

    return SqlStore(settings.store_url)


def local_loader(settings: Settings, home: Path | None = None, *, providers: Providers | None = None) -> BarLoader:
    """Return a loader through the store that the settings name; errors are those of `local_store`."""
    known = KnownSymbols(bars_folder(home) / "symbols.json")
    return BarLoader(providers or Providers(), local_store(settings, home), known=known)
