"""Settings of a session: what is named changes, what does not exist is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import algotrendy as at
from algotrendy.errors import InputError
from algotrendy.research import workspace


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = workspace().settings.model_dump()
    yield
    at.configure(**before)


def test_what_is_not_named_keeps_its_value() -> None:
    at.configure(workers=1)
    assert at.configure(progress=False).settings.workers == 1


def test_a_sweep_uses_the_settings_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr("algotrendy.research._sweep.optimize", lambda *_, **options: seen.update(options))
    at.configure(workers=1, progress=False)
    at.optimize(at.strategies.sma_cross(), at.synthetic(n=50, seed=1), {"fast": [3]})
    assert seen == {"workers": 1, "progress": False}


@pytest.mark.parametrize(("setting", "message"), [({"home": "x"}, "no setting 'home'"), ({"workers": 0}, "workers")])
def test_a_setting_that_would_do_nothing_is_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        at.configure(**setting)
