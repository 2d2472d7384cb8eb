"""Asks Covalent (GoldRush): I/O only."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from algotrendy.data.providers.covalent.config import CovalentSettings
from algotrendy.data.providers.covalent.errors import NAME, error_of
from algotrendy.data.providers.covalent.parse import parse_balances, parse_prices
from algotrendy.data.providers.http import Clock
from algotrendy.data.providers.port import Capabilities, Fetched
from algotrendy.data.series import BarsRequest, as_instant, utc_now
from algotrendy.domain.instrument import AssetClass
from algotrendy.errors import BadAnswer, DataError, InputError

_ADDRESS = re.compile(r"[A-Za-z0-9]{4,80}")
_SLACK = pd.Timedelta(days=1)


class CovalentProvider:
    """Daily token prices and wallet balances from Covalent.

    It tells one price a day, and a price alone makes no bar: `bars` refuses, `get_blockchain_data` tells them.

    Parameters
    ----------
    settings : CovalentSettings, optional
        Without, the key comes from the environment.
    clock : callable
        Returns this moment.
    """

    name = NAME
    capabilities = Capabilities(intervals=frozenset(), asset_classes=frozenset({AssetClass.CRYPTO}), needs_key=True)

    def __init__(self, settings: CovalentSettings | None = None, *, clock: Clock = utc_now) -> None:
        self._settings = settings or CovalentSettings()
        headers = {"Authorization": f"Bearer {self._settings.key('api_key', NAME)}"}
        self._http = self._settings.client(NAME, headers=headers, clock=clock)

    async def bars(self, request: BarsRequest) -> Fetched:
        """Refuse: there are no bars here, but daily prices; see `get_blockchain_data`."""
        self.capabilities.require(request, NAME)
        raise InputError("covalent has no bars; its daily prices: get_blockchain_data(...)")

    async def get_blockchain_data(
        self, chain_id: int, token_address: str, start_date: str, end_date: str
    ) -> pd.DataFrame:
        """Return the daily prices of a token.

        Parameters
        ----------
        chain_id : int
            Such as 1 for Ethereum, 137 for Polygon's chain.
        token_address : str
            The contract of the token.
        start_date, end_date : str
            Such as `2024-01-01`; both days are in.

        Returns
        -------
        DataFrame of shape (n_days, 1)
            Column `price` in the quote currency, indexed by date (UTC days), oldest first. `attrs["token"]` names the
            token. Today's price is that of this moment.

        Raises
        ------
        InputError
            If the start is after the end or an address is none.
        DataError
            If nothing is known of the token, or nothing in these days.
        """
        first, last = (
            as_instant(date, name).floor("D") for date, name in ((start_date, "start_date"), (end_date, "end_date"))
        )
        if first > last:
            raise InputError(f"start_date {first.date()} lies after end_date {last.date()}")
        token, what = _address(token_address), f"token {token_address} on chain {chain_id}"
        path = f"v1/pricing/historical_by_addresses_v2/{_chain(chain_id)}/{self._settings.quote_currency}/{token}/"
        asked = {"from": str(first.date()), "to": str(last.date()), "prices-at-asc": "true"}
        async with self._http.call() as call:
            payload = await call.get_json(path, asked, error_of=lambda status, said: error_of(status, said, what))
        prices = parse_prices(payload, token, what)
        if not len(prices):
            raise DataError(f"covalent has no prices of {what} from {first.date()} to {last.date()}")
        times = pd.DatetimeIndex(prices.index).tz_localize("UTC")
        if times[0] < first - _SLACK or times[-1] > last + _SLACK:
            raise BadAnswer(
                NAME, f"was asked for {first.date()} to {last.date()} and answered for {times[0]} to {times[-1]}"
            )
        return prices[(times >= first) & (times <= last)]

    async def get_wallet_balances(self, chain_id: int, wallet_address: str) -> dict[str, Any]:
        """Return what a wallet holds.

        Parameters
        ----------
        chain_id : int
            Such as 1 for Ethereum.
        wallet_address : str

        Returns
        -------
        dict
            `address`, `chain_id`, `chain_name`, `updated_at` (UTC), `quote_currency`, and `items`: one dict for each
            token with `token_address`, `symbol`, `name`, `decimals`, `balance` (Decimal, in whole tokens), `price` and
            `value` (float in the quote currency, None where not known).

        Raises
        ------
        InputError
            If the address is none.
        DataError
            If the chain or the wallet is not known.
        """
        wallet, what = _address(wallet_address), f"wallet {wallet_address} on chain {chain_id}"
        path = f"v1/{_chain(chain_id)}/address/{wallet}/balances_v2/"
        asked = {"quote-currency": self._settings.quote_currency}
        async with self._http.call() as call:
            payload = await call.get_json(path, asked, error_of=lambda status, said: error_of(status, said, what))
        return parse_balances(payload, wallet, what)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _address(text: str) -> str:
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise InputError(f"{text!r} is not an address; expected letters and digits such as 0x1f98...f984")
    return text


def _chain(chain_id: int) -> int:
    if isinstance(chain_id, bool) or not isinstance(chain_id, int) or chain_id < 1:
        raise InputError(f"chain_id is {chain_id!r}, expected a positive number such as 1 for Ethereum")
    return chain_id
