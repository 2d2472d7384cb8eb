"""The public names: few, loaded on first use, documented with their units and with examples that run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import algotrendy
from algotrendy import indicators

TOP_NAMES_MAX = 25

CHECKED = ("GL08", "PR01", "PR02", "RT01", "EX01")
"""Findings of numpydoc that count for a function that users call: no docstring, parameters that are not documented,
or do not exist, no word on what it returns, no example. For the others the first counts."""


def _rooms() -> list[str]:
    """Return the names of the package's folders that say what is public in them."""
    names = [module.name for module in pkgutil.iter_modules(algotrendy.__path__) if module.ispkg]
    return [name for name in names if getattr(importlib.import_module(f"algotrendy.{name}"), "__all__", None)]


def _member(module: Any, name: str) -> Any:
    """Return what `from module import name` gives: an attribute, or a file of the folder."""
    if not hasattr(module, name) and importlib.util.find_spec(f"{module.__name__}.{name}"):
        return importlib.import_module(f"{module.__name__}.{name}")
    return getattr(module, name, None)


def _place(module: Any, name: str) -> str:
    """Return where a name of a module is defined: "algotrendy.data.files.read_csv"."""
    value = _member(module, name)
    return f"{getattr(value, '__module__', module.__name__)}.{getattr(value, '__qualname__', name)}"


def _public() -> Iterator[tuple[str, Any]]:
    """Yield the place where each public function or class is defined, and the thing itself, once."""
    seen = set()
    modules = [algotrendy, *(importlib.import_module(f"algotrendy.{room}") for room in _rooms())]
    for module in modules:
        for name in module.__all__:
            value = _member(module, name)
            place = _place(module, name)
            if (inspect.isfunction(value) or inspect.isclass(value)) and place not in seen:
                seen.add(place)
                yield place, value


PUBLIC = dict(_public())
FUNCTIONS = [place for place, value in PUBLIC.items() if inspect.isfunction(value)]
FOR_USERS = {_place(module, name) for module in (algotrendy, indicators) for name in module.__all__} - {
    _place(indicators, name) for name in ("lookup", "names", "register")
}
"""Where the names are defined that users call; the other rooms' names are for those who change the package."""

DOCUMENTED_ELSEWHERE = {
    "algotrendy.research.monte_carlo": "algotrendy.backtest.monte_carlo.monte_carlo",
    "algotrendy.research.optimize": "algotrendy.backtest.sweep.optimize",
    "algotrendy.research.procedure_test": "algotrendy.backtest.procedure.procedure_test",
    "algotrendy.research.walk_forward": "algotrendy.backtest.walk_forward.run.walk_forward",
}
"""A function that passes its options on, and the function whose docstring it shares."""

CLASSES = [place for place, value in PUBLIC.items() if inspect.isclass(value)]


def test_the_package_has_at_most_twenty_five_names() -> None:
    assert len(algotrendy.__all__) <= TOP_NAMES_MAX


@pytest.mark.parametrize("name", algotrendy.__all__)
def test_every_name_of_the_package_can_be_loaded(name: str) -> None:
    assert getattr(algotrendy, name) is not None
    assert name in dir(algotrendy)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        algotrendy.no_such_name  # noqa: B018 - the access is the test


@pytest.mark.parametrize("room", _rooms())
def test_every_name_of_a_room_exists(room: str) -> None:
    module = importlib.import_module(f"algotrendy.{room}")
    assert module.__doc__, "a room says in its first line what it is for"
    assert [name for name in module.__all__ if _member(module, name) is None] == []
    assert list(module.__all__) == sorted(set(module.__all__)), "sorted, each once"


@pytest.mark.parametrize("place", FUNCTIONS)
def test_every_public_function_is_documented(place: str) -> None:
    from numpydoc.validate import validate

    codes = CHECKED if place in FOR_USERS else ("GL08",)
    errors = [message for code, message in validate(DOCUMENTED_ELSEWHERE.get(place, place))["errors"] if code in codes]
    assert errors == []


@pytest.mark.parametrize("place", CLASSES)
def test_every_public_class_and_its_methods_are_documented(place: str) -> None:
    cls = PUBLIC[place]
    assert (cls.__doc__ or "").strip(), "has no docstring"
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}("), "has only the docstring that dataclass writes"
    own = {name: member for name, member in vars(cls).items() if not name.startswith("_")}
    documented = [
        name
        for name, member in own.items()
        if (inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod))
        and not inspect.getdoc(getattr(cls, name, member))
    ]
    assert documented == [], "methods without a docstring"


def test_every_public_name_has_a_page_in_the_reference() -> None:
    from algotrendy import errors

    folder = Path(__file__).resolve().parents[2] / "docs" / "reference"
    listed = re.findall(r"^   algotrendy\.([\w.]+)$", (folder / "index.rst").read_text(encoding="utf-8"), re.MULTILINE)
    assert ".. automodule:: algotrendy.strategy.library" in (folder / "strategies.rst").read_text(encoding="utf-8")
    found = ["strategies", *("backtest" if name == "backtest.backtest" else name for name in listed)]
    classes = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    assert sorted(found) == sorted([*algotrendy.__all__, *(f"errors.{name}" for name in classes)])
