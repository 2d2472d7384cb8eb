"""The loader of one machine: every provider by name, and a store of Parquet files in the folder for caches."""

from __future__ import annotations

from pathlib import Path

from algotrendy.data import providers
from algotrendy.data.known_symbols import KnownSymbols
from algotrendy.data.loader import BarLoader
from algotrendy.data.providers.port import Provider
from algotrendy.data.store.parquet import ParquetStore
from algotrendy.home import default_home

__all__ = ["Providers", "bars_folder", "local_loader"]


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
            self._made[name] = self._several(name.split("+")) if "+" in name else providers.get(name)
        return self._made[name]

    def _several(self, names: list[str]) -> Provider:
        return providers.FallbackProvider([self(name.strip()) for name in names])

    async def close(self) -> None:
        """Close all that were made."""
        made, self._made = list(self._made.values()), {}
        for provider in made:
            await provider.close()


def bars_folder(home: Path | None = None) -> Path:
    """Return the folder for stored bars under `home`, by default the folder for caches; it is named, not made."""
    return (default_home() if home is None else home) / "bars"


def local_loader(home: Path | None = None) -> BarLoader:
    """Return a loader that keeps what it loads in Parquet files. Nothing is written before something is loaded."""
    folder = bars_folder(home)
    return BarLoader(Providers(), ParquetStore(folder), known=KnownSymbols(folder / "symbols.json"))
