"""Settings of Alpaca's data: a pair of keys, the feed, and 200 requests a minute."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from algotrendy.data.providers.settings import ADDRESS, OutsideSettings


class AlpacaSettings(OutsideSettings):
    """Settings of `AlpacaProvider`.

    Examples
    --------
    >>> AlpacaSettings(api_key="k", secret_key="s").secret_key
    SecretStr('**********')
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_ALPACA_")

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ALGOTRENDY_ALPACA_API_KEY", "APCA_API_KEY_ID", "ALPACA_API_KEY"),
        description="The id of the key.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ALGOTRENDY_ALPACA_SECRET_KEY", "APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY"),
        description="The secret that belongs to it.",
    )
    base_url: str = Field(default="https://data.alpaca.markets", pattern=ADDRESS, description="The data host.")
    feed: Literal["sip", "iex", "delayed_sip", "otc"] | None = Field(
        default=None, description="Whose trades of stocks; None: the best that the plan allows."
    )
    requests_per_minute: int | None = Field(default=200, ge=1, description="The budget of the free plan.")
