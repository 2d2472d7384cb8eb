"""Names of markets: what vendors call them, their market codes, and the calendars that know their hours."""

from __future__ import annotations

from algotrendy.domain.instrument import AssetClass, Instrument

__all__ = ["instrument_at"]

_MARKETS = {
    "NMS": "XNAS", "NGM": "XNAS", "NCM": "XNAS", "NAS": "XNAS", "NYQ": "XNYS", "PCX": "ARCX", "ASE": "XASE",
    "BTS": "BATS",
    "LSE": "XLON", "JPX": "XTKS", "FRA": "XFRA", "GER": "XETR", "PAR": "XPAR", "AMS": "XAMS", "MIL": "XMIL",
    "MCE": "XMAD", "BRU": "XBRU", "LIS": "XLIS", "EBS": "XSWX", "STO": "XSTO", "CPH": "XCSE", "OSL": "XOSL",
    "HEL": "XHEL", "VIE": "XWBO", "HKG": "XHKG", "TOR": "XTSE", "ASX": "XASX", "JNB": "XJSE", "SAO": "BVMF",
    "NSI": "XNSE", "BSE": "XBOM", "KSC": "XKRX", "SES": "XSES", "TAI": "XTAI", "SHH": "XSHG", "SHZ": "XSHE",
    "CME": "XCME", "CBT": "XCBT", "NYM": "XNYM", "CMX": "XCEC",
}  # fmt: skip
"""Yahoo's codes to ISO 10383 market codes."""

_AMERICAN = frozenset({"XNAS", "XNYS", "ARCX", "XASE", "BATS", "US"})
_CALENDARS = frozenset(
    {
        "XLON", "XTKS", "XFRA", "XETR", "XPAR", "XAMS", "XMIL", "XMAD", "XBRU", "XLIS", "XSWX", "XSTO", "XCSE", "XOSL",
        "XHEL", "XWBO", "XHKG", "XTSE", "XASX", "XJSE", "BVMF", "XBOM", "XKRX", "XSES", "XTAI", "XSHG",
    }
)  # fmt: skip
"""Those of the above whose hours the exchange-calendars package knows under the same code."""


def instrument_at(asset_class: AssetClass, venue: str, symbol: str, currency: str = "USD") -> Instrument:
    """Return the instrument that a vendor's name of a market and a symbol stand for.

    Examples
    --------
    >>> instrument_at(AssetClass.STOCK, "NMS", "AAPL").id, instrument_at(AssetClass.CRYPTO, "binance", "BTC/USDT").id
    ('stock:XNAS:AAPL', 'crypto:BINANCE:BTC/USDT')
    """
    market = _MARKETS.get(venue, "".join(venue.upper().split()) or "US")
    return Instrument(
        asset_class=asset_class, venue=market, symbol=symbol, currency=currency, calendar=_calendar(asset_class, market)
    )


def _calendar(asset_class: AssetClass, market: str) -> str:
    if asset_class is AssetClass.CRYPTO:
        return "24/7"
    if asset_class is AssetClass.FOREX:
        return "24/5"
    if market in _AMERICAN:
        return "XNYS"
    return market if market in _CALENDARS else "sessions"
