"""Settings of the streams of crypto exchanges: which exchange, which markets, and the hosts. No key is needed."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ExchangeStreamSettings(BaseSettings):
    """Settings of `ExchangeStream`.

    Examples
    --------
    >>> ExchangeStreamSettings(exchange="kraken").exchange
    'kraken'
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_EXCHANGE_", frozen=True)

    exchange: str = Field(default="binance", description="The exchange, as ccxt names it.")
    markets: tuple[str, ...] = Field(default=("spot",), description="Kinds of markets that are loaded, where it asks.")
    stream_url: str | None = Field(default=None, description="Host of its WebSockets; None: its own.")
    base_url: str | None = Field(default=None, description="Host of its other requests; None: its own.")
    answer_seconds: float = Field(default=10.0, gt=0.0, description="How long a connection is waited for.")
