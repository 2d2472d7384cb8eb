"""Settings of Alpaca's streams: a pair of keys, what is streamed, and the hosts."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class AlpacaStreamSettings(BaseSettings):
    """Settings of `AlpacaStream`.

    Examples
    --------
    >>> settings = AlpacaStreamSettings(api_key="k", secret_key="s", asset_class="crypto")
    >>> settings.secret_key, settings.stream_address
    (SecretStr('**********'), 'wss://stream.data.alpaca.markets/v1beta3/crypto/us')
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_ALPACA_", frozen=True, populate_by_name=True)

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("api_key", "ALGOTRENDY_ALPACA_API_KEY", "APCA_API_KEY_ID", "ALPACA_API_KEY"),
        description="The id of the key.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "secret_key", "ALGOTRENDY_ALPACA_SECRET_KEY", "APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY"
        ),
        description="The secret that belongs to it.",
    )
    asset_class: Literal["stock", "crypto"] = Field(default="stock", description="What is streamed.")
    feed: Literal["iex", "sip", "delayed_sip", "boats", "overnight"] = Field(
        default="iex", description="Whose trades of stocks; `sip` needs a paid plan. Crypto has one feed."
    )
    stream_url: str = Field(default="wss://stream.data.alpaca.markets", description="The host of the stream.")
    base_url: str = Field(
        default="https://data.alpaca.markets", description="The host that is asked for missed trades."
    )
    answer_seconds: float = Field(default=10.0, gt=0.0, description="How long an answer of the stream is waited for.")

    @property
    def stream_address(self) -> str:
        """The address of the stream."""
        path = "v1beta3/crypto/us" if self.asset_class == "crypto" else f"v2/{self.feed}"
        return f"{self.stream_url.rstrip('/')}/{path}"
