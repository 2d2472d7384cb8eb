"""Settings of Polygon: a key, and five requests a minute unless the plan allows more."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from algotrendy.data.providers.settings import ADDRESS, OutsideSettings


class PolygonSettings(OutsideSettings):
    """Settings of `PolygonProvider`.

    Examples
    --------
    >>> PolygonSettings(api_key="s3cret").api_key
    SecretStr('**********')
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_POLYGON_")

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "ALGOTRENDY_POLYGON_API_KEY", "POLYGON_API_KEY", "MASSIVE_API_KEY", "ALGOTRENDY_MASSIVE_API_KEY"
        ),
        description="The key of the account.",
    )
    base_url: str = Field(default="https://api.massive.com", pattern=ADDRESS, description="Where requests are sent.")
    requests_per_minute: int | None = Field(default=5, ge=1, description="The budget of the free plan.")
    page_size: int = Field(default=50_000, ge=1, le=50_000, description="Base bars or trades in one page.")
