"""Providers by name: the ones that come with algotrendy, those of other packages, and every exchange of ccxt."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from algotrendy.data.providers.port import Provider
from algotrendy.errors import ConfigError, InputError

__all__ = ["get", "names"]

GROUP = "algotrendy.providers"
"""The group of entry points under which other packages register: name = "package.module:Provider"."""

_HOMES: dict[str, tuple[str, str, str | None]] = {
    "alpaca": ("alpaca", "AlpacaProvider", "AlpacaSettings"),
    "ccxt": ("ccxt", "CcxtProvider", "CcxtSettings"),
    "covalent": ("covalent", "CovalentProvider", "CovalentSettings"),
    "files": ("local", "FilesProvider", "FilesSettings"),
    "polygon": ("polygon", "PolygonProvider", "PolygonSettings"),
    "sample": ("local", "SampleProvider", None),
    "sql": ("local", "SqlProvider", "SqlSettings"),
    "synthetic": ("local", "SyntheticProvider", "SyntheticSettings"),
    "yahoo": ("yahoo", "YahooProvider", "YahooSettings"),
}
_ALIASES = {"goldrush": "covalent", "massive": "polygon", "yfinance": "yahoo"}


def names() -> tuple[str, ...]:
    """Return the names that `get` takes; the exchanges of ccxt, of which `binance` stands for all, are known as well.

    Examples
    --------
    >>> names()
    ('alpaca', 'binance', 'ccxt', 'covalent', 'files', 'polygon', 'sample', 'sql', 'synthetic', 'yahoo')
    """
    return tuple(sorted({*_HOMES, "binance", *(point.name for point in entry_points(group=GROUP))}))


def get(name: str, **settings: Any) -> Provider:
    """Return a provider.

    Parameters
    ----------
    name : str
        One of `names()`, an exchange of ccxt such as `kraken`, or an alias: `massive`, `goldrush`, `yfinance`.
    **settings
        Settings of that provider; what is not given comes from the environment (`ALGOTRENDY_POLYGON_API_KEY`, ...).
        For all that use a network: `record=path` writes answers to a cassette, `replay=path` answers from one.

    Returns
    -------
    Provider

    Raises
    ------
    InputError
        If there is no such provider or setting: near names are told.
    ConfigError
        If a key is missing; as MissingExtraError if the package is that it needs. Also if two packages register one
        name.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.data.series import BarsRequest, Span
    >>> request = BarsRequest(symbol="NASDAQ", interval="1d", span=Span.of("2018-12-01", "2019-01-01"))
    >>> len(wait_for(get("sample").bars(request)).bars)
    19
    >>> get("yaho")
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: there is no provider 'yaho'; did you mean yahoo? There are alpaca, ...
    """
    wanted = str(name).lower()
    wanted = _ALIASES.get(wanted, wanted)
    others = {point.name: point for point in _others()}
    if wanted in _HOMES:
        return _built(wanted, settings)
    if wanted in others:
        return _loaded(others[wanted])(**settings)
    if wanted == "binance" or _is_exchange(wanted):
        return _built("ccxt", {"exchange": wanted, **settings})
    near = difflib.get_close_matches(wanted, [*names(), *_ALIASES], n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}? There" if near else "there"
    raise InputError(f"there is no provider {name!r}; {hint} are {', '.join(names())}, and the exchanges of ccxt")


def _built(name: str, settings: dict[str, Any]) -> Provider:
    from algotrendy.data.providers.settings import settings_of

    room, kind, settings_kind = _HOMES[name]
    module = importlib.import_module(f"algotrendy.data.providers.{room}")
    if settings_kind is None:
        if settings:
            raise InputError(f"{name} takes no settings, got {', '.join(settings)}")
        made: Provider = getattr(module, kind)()
        return made
    provider: Provider = getattr(module, kind)(settings_of(getattr(module, settings_kind), settings))
    return provider


def _others() -> list[EntryPoint]:
    """Return what other packages have registered; a name is never taken by two."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        taken = found.get(point.name)
        if point.name in {*_HOMES, *_ALIASES, "binance"} or (taken is not None and taken.value != point.value):
            raise ConfigError(
                f"the provider {point.name!r} of {point.value} takes a name that is taken"
                f"{f' by {taken.value}' if taken is not None else ''}; uninstall one of the two packages"
            )
        found[point.name] = point
    return list(found.values())


def _loaded(point: EntryPoint) -> Callable[..., Provider]:
    try:
        kind: Callable[..., Provider] = point.load()
    except (ImportError, AttributeError) as e:
        raise ConfigError(f"the provider {point.name!r} cannot be loaded from {point.value}: {e}") from e
    return kind


def _is_exchange(name: str) -> bool:
    if importlib.util.find_spec("ccxt") is None:
        return False
    import ccxt

    return name in ccxt.exchanges
