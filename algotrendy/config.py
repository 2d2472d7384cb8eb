"""Every knob of algotrendy, its default and its meaning. Environment variables `ALGOTRENDY_*` set them.

Reading the settings touches no file and creates no folder. The folder for caches is no setting of a session: compiled
kernels need it before any session begins, so `ALGOTRENDY_HOME` alone names it, see `algotrendy.home`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from algotrendy.home import OFF


class Settings(BaseSettings):
    """The settings of one process.

    Examples
    --------
    >>> Settings(workers=1).workers
    1
    """

    model_config = SettingsConfigDict(env_prefix="ALGOTRENDY_", frozen=True)

    workers: int | None = Field(
        default=None, ge=1, description="Threads or processes for sweeps. None: as many as there are cores."
    )
    executor: Literal["threads", "processes", "ray"] | None = Field(
        default=None,
        description="Where sweeps, walks, simulations, tests and searches are computed: in this process, in others of "
        "this machine, or on a Ray cluster (extra ray). None: text strategies in this process, Python ones in others.",
    )
    ray_address: str | None = Field(
        default=None,
        description="The Ray cluster for executor=ray, such as auto or ray://host:10001. None: one of its own here.",
    )
    progress: bool | None = Field(
        default=None, description="Progress bars. None: only when the standard error stream is a terminal."
    )
    source: str = Field(default="yahoo", description="The data provider that is asked where a call names none.")
    store_url: str | None = Field(
        default=None,
        description="Where bars are kept: sqlite:///... or postgresql://...; None: Parquet files beside the caches.",
    )
    database_url: str | None = Field(
        default=None,
        description="Where strategies, results and jobs are kept: sqlite:///... or postgresql://...; None: a SQLite"
        " file beside the caches.",
    )
    redis_url: str | None = Field(
        default=None, description="A Redis that several processes share as a cache, redis://...; None: memory alone."
    )
    cache_bytes: int = Field(default=256 * 2**20, ge=0, description="Memory for cached bars in this process.")
    ledger: bool | str = Field(
        default=True,
        description="Where trials are counted: on, off, the path of a file, or an address such as sqlite:///... or "
        "postgresql://... On: ledger.db in the folder .algotrendy of the research folder, else beside the caches.",
    )

    trading_mode: Literal["paper", "live"] = Field(
        default="paper",
        description="What a deployment may be. Real orders need live here, and live_trading as well: one alone changes "
        "nothing.",
    )
    live_trading: bool = Field(
        default=False, description="Whether real orders are meant; counts only where trading_mode is live."
    )

    @property
    def allows_live(self) -> bool:
        """Whether both settings say that orders may be real."""
        return self.trading_mode == "live" and self.live_trading

    @field_validator("ledger", mode="before")
    @classmethod
    def _ledger(cls, value: Any) -> Any:
        """Take on and off in words, as environment variables have them, and paths."""
        if isinstance(value, Path):
            return str(value)
        words = {**dict.fromkeys(OFF, False), **dict.fromkeys(("on", "true", "yes", "1"), True)}
        return words.get(value.strip().lower(), value) if isinstance(value, str) else value
