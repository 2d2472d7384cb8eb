"""Settings of an exchange reached through ccxt: which one. Public data wants no key."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from algotrendy.data.providers.settings import ADDRESS, OutsideSettings


class CcxtSettings(OutsideSettings):
    """Settings of `CcxtProvider`.

    Examples
    --------
    >>> CcxtSettings(exchange="kraken").exchange
    'kraken'
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_CCXT_")

    exchange: str = Field(default="binance", description="The exchange as ccxt calls it.")
    base_url: str = Field(
        default="", pattern=ADDRESS, description="A server to ask instead of the exchange's own; empty: its own."
    )
    page_size: int | None = Field(
        default=None, ge=1, description="Bars in one page; None: as many as the exchange allows."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Further options of ccxt for this exchange.")
