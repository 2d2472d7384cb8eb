"""Covalent's answers to prices and balances: pure, tested on answers of the documented form.

Balances are whole numbers of the smallest unit, written as text; they become exact Decimals.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pandas as pd

from algotrendy.data.providers.answer import same_symbol
from algotrendy.data.providers.covalent.errors import NAME, error_of
from algotrendy.errors import BadAnswer

_DIGITS = 120  # a balance has up to 78, a token up to some dozens of decimals


def parse_prices(payload: Any, token: str, what: str) -> pd.DataFrame:
    """Return daily prices, oldest first: column `price`, indexed by date; days without a price are left out.

    Raises
    ------
    DataError, AccessRefused, BadAnswer
        If the answer is an error, of another token, or of no known form.
    """
    data = _data(payload, what)
    try:
        tokens = [one for one in data if one is not None]
        if len(tokens) != 1:
            raise BadAnswer(NAME, f"was asked for one token and answered for {len(tokens)}")
        found = tokens[0]
        same_symbol(NAME, token, found["contract_address"])
        told = [(one["date"], one["price"]) for one in found.get("prices") or found.get("items") or []]
        prices = [(date, float(price)) for date, price in told if price is not None]
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise BadAnswer(NAME, f"the prices of {what} have no known form ({type(e).__name__}: {e})") from e
    index = pd.DatetimeIndex(pd.to_datetime([date for date, _ in prices], format="%Y-%m-%d"), name="time").as_unit("ns")
    frame = pd.DataFrame({"price": [price for _, price in prices]}, index=index, dtype="float64").sort_index(
        kind="stable"
    )
    frame = frame[~frame.index.duplicated(keep="last")]
    frame.attrs["token"] = {
        "name": found.get("contract_name"), "symbol": found.get("contract_ticker_symbol"),
        "decimals": found.get("contract_decimals"), "quote_currency": found.get("quote_currency"),
    }  # fmt: skip
    return frame


def parse_balances(payload: Any, wallet: str, what: str) -> dict[str, Any]:
    """Return the balances of a wallet.

    Raises
    ------
    DataError, AccessRefused, BadAnswer
        If the answer is an error, of another wallet, not the whole of it, or of no known form.
    """
    data = _data(payload, what)
    try:
        same_symbol(NAME, wallet, data["address"])
        if (data.get("pagination") or {}).get("has_more"):
            raise BadAnswer(NAME, f"the balances of {what} are cut off: there are more pages than one")
        items = [_balance(one) for one in data["items"]]
        return {
            "address": data["address"], "chain_id": data.get("chain_id"), "chain_name": data.get("chain_name"),
            "updated_at": pd.Timestamp(data["updated_at"]).tz_convert("UTC"),
            "quote_currency": data.get("quote_currency"), "items": items,
        }  # fmt: skip
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as e:
        raise BadAnswer(NAME, f"the balances of {what} have no known form ({type(e).__name__}: {e})") from e


def _balance(item: Any) -> dict[str, Any]:
    decimals = int(item.get("contract_decimals") or 0)
    with localcontext(prec=_DIGITS):
        balance = Decimal(int(item["balance"])).scaleb(-decimals)
    rate, quote = item.get("quote_rate"), item.get("quote")
    return {
        "token_address": item["contract_address"], "symbol": item.get("contract_ticker_symbol"),
        "name": item.get("contract_name"), "decimals": decimals, "balance": balance,
        "price": None if rate is None else float(rate), "value": None if quote is None else float(quote),
    }  # fmt: skip


def _data(payload: Any, what: str) -> Any:
    if not isinstance(payload, dict):
        raise BadAnswer(NAME, f"the answer on {what} is a {type(payload).__name__}, expected an object")
    if payload.get("error"):
        raise error_of(int(payload.get("error_code") or 0), payload, what)
    if payload.get("data") is None:
        raise BadAnswer(NAME, f"the answer on {what} holds no data")
    return payload["data"]
