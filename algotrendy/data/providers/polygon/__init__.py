"""Polygon.io, now Massive: bars, trades, splits and dividends of the United States, crypto and currencies."""

from algotrendy.data.providers.polygon.config import PolygonSettings
from algotrendy.data.providers.polygon.provider import PolygonProvider

__all__ = ["PolygonProvider", "PolygonSettings"]
