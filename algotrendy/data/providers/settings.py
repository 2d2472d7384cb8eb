"""What the settings of all outside providers share: patience, a budget, keys that are never printed, cassettes.

Settings come from keyword arguments or from the environment (`ALGOTRENDY_<PROVIDER>_<SETTING>`, and for keys the names
that the vendors use themselves). They are frozen.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from algotrendy.data.providers.http import Clock, HttpClient, Patience
from algotrendy.data.providers.limits import Budget
from algotrendy.data.series import utc_now
from algotrendy.errors import ConfigError, InputError

if TYPE_CHECKING:
    import httpx

__all__ = ["ADDRESS", "OutsideSettings", "settings_of"]

_S = TypeVar("_S", bound=BaseSettings)


ADDRESS = "^(https?://[^/]+.*)?$"
"""What the address of a server looks like."""


class OutsideSettings(BaseSettings):
    """Settings of a provider that is reached over a network."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    base_url: str = Field(default="", pattern=ADDRESS, description="Where requests are sent.")
    timeout_seconds: float = Field(
        default=20.0, gt=0, description="For connecting, and between two pieces of an answer."
    )
    deadline_seconds: float = Field(default=300.0, gt=0, description="For one call, its pages and waits together.")
    attempts: int = Field(default=4, ge=1, description="Requests for one answer, the first included.")
    requests_per_minute: int | None = Field(default=None, ge=1, description="The budget; None: unlimited.")
    pages_max: int = Field(default=1_000, ge=1, description="Requests that one call may make.")
    check: bool = Field(
        default=True, description="False: bars that contradict themselves are handed on, to be repaired."
    )
    record: Path | None = Field(default=None, description="A new file to record every answer in.")
    replay: Path | None = Field(default=None, description="A recorded file to answer from, without a network.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of all keys, to be struck out of whatever is written down."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    def key(self, name: str, where: str) -> str:
        """Return a key.

        Raises
        ------
        ConfigError
            If it is not set: the message says where keys come from.
        """
        value = getattr(self, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            return value.get_secret_value()
        if self.replay is not None:
            return "replayed"
        field = type(self).model_fields[name]
        names = getattr(field.validation_alias, "choices", [])
        variables = [str(choice) for choice in names if str(choice).isupper()]
        raise ConfigError(
            f"{where} needs a key: set the environment variable {' or '.join(variables[:2])}, or pass {name}=... ;"
            " to work offline, pass replay=... with a recorded file"
        )

    def client(
        self,
        venue: str,
        *,
        headers: Mapping[str, str] | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        clock: Clock = utc_now,
    ) -> HttpClient:
        """Return a client with this patience and budget, which records or replays if it is to."""
        if self.record is not None and self.replay is not None:
            raise InputError("record= and replay= are given both; a call is either recorded or played")
        patience = Patience(
            attempts=self.attempts, timeout_seconds=self.timeout_seconds, deadline_seconds=self.deadline_seconds,
            pages_max=self.pages_max,
        )  # fmt: skip
        budget = Budget(self.requests_per_minute, 60.0) if self.requests_per_minute else None
        if self.replay is not None:
            from algotrendy.data.providers.cassette import Replayer

            player = Replayer(self.replay, self.secrets)
            return HttpClient(
                venue, self.base_url, headers=headers, patience=patience, transport=lambda: player, clock=player.now,
                sleep=_at_once,
            )  # fmt: skip
        if self.record is not None:
            transport = self._recorded(venue, transport, clock)
        return HttpClient(
            venue, self.base_url, headers=headers, patience=patience, budget=budget, transport=transport, clock=clock
        )

    def _recorded(
        self, venue: str, transport: Callable[[], httpx.AsyncBaseTransport] | None, clock: Clock
    ) -> Callable[[], httpx.AsyncBaseTransport]:
        import httpx

        from algotrendy.data.providers.cassette import Recorder

        inner = (transport or httpx.AsyncHTTPTransport)()
        recorder = Recorder(inner, Path(str(self.record)), provider=venue, secrets=self.secrets, clock=clock)
        return lambda: recorder


async def _at_once(_: float) -> None:
    """Wait for nothing: who plays a cassette has waited when it was recorded."""


def settings_of(kind: type[_S], given: Mapping[str, Any]) -> _S:
    """Return settings of a kind from keyword arguments and the environment.

    Raises
    ------
    InputError
        If an argument is unknown or its value not allowed.
    ConfigError
        If an environment variable has a value that is not allowed.
    """
    known = list(kind.model_fields)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise InputError(f"there is no setting {name!r}; {hint}")
    try:
        return kind(**given)
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        message = f"the setting {name} is not allowed: {first['msg']}"
        raise (InputError(message) if first["loc"] and first["loc"][0] in given else ConfigError(message)) from None
