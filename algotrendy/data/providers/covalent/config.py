"""Settings of Covalent: a key, the currency of prices, and four requests a second."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from algotrendy.data.providers.settings import ADDRESS, OutsideSettings


class CovalentSettings(OutsideSettings):
    """Settings of `CovalentProvider`.

    Examples
    --------
    >>> CovalentSettings(api_key="s3cret").quote_currency
    'USD'
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_COVALENT_")

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "ALGOTRENDY_COVALENT_API_KEY", "COVALENT_API_KEY", "GOLDRUSH_API_KEY", "ALGOTRENDY_GOLDRUSH_API_KEY"
        ),
        description="The key of the account.",
    )
    base_url: str = Field(default="https://api.covalenthq.com", pattern=ADDRESS, description="Where requests are sent.")
    quote_currency: str = Field(default="USD", pattern="^[A-Z]{3,4}$", description="What prices are quoted in.")
    requests_per_minute: int | None = Field(default=240, ge=1, description="The budget of the free plan.")
