"""Settings of Yahoo: it wants no key, and not many requests."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from algotrendy.data.providers.settings import ADDRESS, OutsideSettings


class YahooSettings(OutsideSettings):
    """Settings of `YahooProvider`.

    Examples
    --------
    >>> YahooSettings(timeout_seconds=5).requests_per_minute
    60
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_YAHOO_")

    base_url: str = Field(
        default="https://query2.finance.yahoo.com", pattern=ADDRESS, description="Where requests are sent."
    )
    requests_per_minute: int | None = Field(default=60, ge=1, description="Yahoo tells no limit; more is soon refused.")
