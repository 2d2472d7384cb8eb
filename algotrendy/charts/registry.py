"""The chart styles that there are, what is known about each, and how third parties add theirs.

A style is a `ChartSpec`. `register` makes one known in this process; a package that names one under the entry-point
group `algotrendy.charts` makes it known wherever it is installed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Protocol

from algotrendy.charts.sizes import Size
from algotrendy.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pandas as pd

ENTRY_POINTS = "algotrendy.charts"
COMMON = ("partial", "interval", "calendar")
"""Options that every style takes besides its own parameters."""


class ChartStream(Protocol):
    """A style that is fed event by event."""

    def update(self, event: Any) -> list[dict[str, Any]]:
        """Take the next trade or bar and return the rows that it completes, oldest first."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a style: its name, what values it takes, its default.

    Attributes
    ----------
    name : str
        As in the call.
    kind : {"number", "whole", "flag", "choice", "size", "rule"}
        `size` is an amount, a percentage or `atr(n)`; `rule` the length of time bars, such as `5m`.
    default : object
        None: the parameter must be given, or `optional` says that there is a rule for it.
    minimum, maximum : float or None
        Smallest and largest value of a number.
    choices : tuple of str
        Values of a choice.
    aliases : tuple of str
        Other names under which it is taken.
    optional : bool
        Whether None is a value: the style then derives one from its other parameters.
    description : str
        One line.
    """

    name: str
    kind: Literal["number", "whole", "flag", "choice", "size", "rule"]
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    optional: bool = False
    description: str = ""

    def check(self, value: Any, owner: str) -> Any:
        """Return `value` in the parameter's type.

        Raises
        ------
        InputError
            If it is missing, or not one of the values that the parameter takes.
        """
        if value is None:
            if self.optional:
                return None
            raise InputError(f"{owner}: `{self.name}` is missing: {self.description}")
        if self.kind == "size":
            return Size.parse(value, f"{owner}: `{self.name}`")
        if self.kind == "rule":
            return _rule(value, f"{owner}: `{self.name}`")
        if self.kind == "flag":
            if value not in (True, False):
                raise InputError(f"{owner}: `{self.name}` is {value!r}; expected True or False")
            return bool(value)
        if self.kind == "choice":
            if value not in self.choices:
                hint = nearest(str(value), self.choices)
                raise InputError(f"{owner}: `{self.name}` is {value!r}{hint}")
            return str(value)
        return self._number(value, owner)

    def _number(self, value: Any, owner: str) -> float | int:
        number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
        whole = self.kind == "whole"
        least = -math.inf if self.minimum is None else self.minimum
        most = math.inf if self.maximum is None else self.maximum
        if not math.isfinite(number) or (whole and not number.is_integer()) or not least <= number <= most:
            expected = "a whole number" if whole else "a number"
            expected += "" if self.minimum is None else f" of at least {self.minimum:g}"
            expected += "" if self.maximum is None else f", at most {self.maximum:g}"
            raise InputError(f"{owner}: `{self.name}` is {value!r}; expected {expected}")
        return int(value) if whole and isinstance(value, Integral) else int(number) if whole else number


@dataclass(frozen=True)
class ChartSpec:
    """What is known about one style.

    Attributes
    ----------
    name : str
        As in `charts.chart(data, name)`.
    description : str
        One line.
    takes : {"bars", "trades or bars"}
        What the style is made from.
    index : str
        Name of the index of its rows, such as `brick`.
    parameters : tuple of Parameter
        Without the options that every style takes: `partial`, `interval`, `calendar`.
    batch : callable
        `(data, *, partial, interval, calendar, **parameters) -> DataFrame` of completed rows.
    stream : callable
        `(*, interval, calendar, **parameters) -> ChartStream`, whose rows equal those of `batch`.
    columns : tuple of str
        Columns of the rows that not every style has.
    synthetic : bool
        Whether open, high, low or close may be prices at which nothing was traded.
    """

    name: str
    description: str
    takes: Literal["bars", "trades or bars"]
    index: str
    parameters: tuple[Parameter, ...]
    batch: Callable[..., pd.DataFrame]
    stream: Callable[..., ChartStream]
    columns: tuple[str, ...] = ()
    synthetic: bool = False

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return checked values of all parameters, in their order, defaults filled in.

        Raises
        ------
        InputError
            If a name is unknown (the nearest is proposed) or given twice, or a value is missing or not allowed.
        """
        owner = f"charts.{self.name}"
        names = {alias: info.name for info in self.parameters for alias in (info.name, *info.aliases)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in names:
                raise InputError(f"{owner} has no parameter {name!r}{nearest(name, [*names, *COMMON])}")
            if names[name] in values:
                raise InputError(f"{owner}: `{names[name]}` is given twice, once as `{name}`; give it once")
            values[names[name]] = value
        return {info.name: info.check(values.get(info.name, info.default), owner) for info in self.parameters}


class Styles(Mapping[str, ChartSpec]):
    """All chart styles by name: those of this package, those registered here, those of installed packages."""

    def __init__(self) -> None:
        self._builtin: dict[str, ChartSpec] = {}
        self._registered: dict[str, ChartSpec] = {}
        self._installed: dict[str, ChartSpec] | None = None

    def add_builtin(self, specs: Iterable[ChartSpec]) -> None:
        """Make the styles of this package known; their names cannot be taken."""
        self._builtin.update({spec.name: spec for spec in specs})

    def add(self, spec: ChartSpec) -> None:
        """Make a user's style known; the same name again replaces it."""
        if not isinstance(spec, ChartSpec):
            raise InputError(f"register takes a ChartSpec, found {type(spec).__name__}")
        if spec.name in self._builtin:
            raise InputError(f"{spec.name!r} is a built-in chart style; choose another name")
        if not (spec.name.isidentifier() and spec.name.isascii()):
            raise InputError(f"{spec.name!r} is not a name for a chart style; use letters, digits and underscores")
        self._registered[spec.name] = spec

    def __getitem__(self, name: str) -> ChartSpec:
        for known in (self._builtin, self._registered):
            if name in known:
                return known[name]
        return self._from_packages()[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._builtin, **self._registered, **self._from_packages()})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<chart styles: {', '.join(self)}>"

    def _from_packages(self) -> dict[str, ChartSpec]:
        """Return the styles that installed packages name, looked up once."""
        if self._installed is None:
            found = {point.name: _loaded(point) for point in entry_points(group=ENTRY_POINTS)}
            self._installed = {name: spec for name, spec in found.items() if name not in self._builtin}
        return self._installed


STYLES = Styles()
"""The styles there are: `charts.STYLES["renko"].parameters`, `list(charts.STYLES)`."""


def register(spec: ChartSpec) -> None:
    """Make a chart style of your own known to `charts.chart`, `charts.stream` and `at.backtest(chart=...)`.

    Parameters
    ----------
    spec : ChartSpec
        Its name, parameters and the two functions that make its rows. The same name again replaces it.

    Raises
    ------
    InputError
        If the name belongs to a built-in style or is not a plain word.

    Examples
    --------
    >>> from dataclasses import replace
    >>> register(replace(STYLES["line_break"], name="my_line_break"))
    >>> "my_line_break" in STYLES
    True
    """
    STYLES.add(spec)


def lookup(name: str) -> ChartSpec:
    """Return what is known about a style.

    Raises
    ------
    InputError
        If there is none of this name; the nearest is proposed.

    Examples
    --------
    >>> lookup("renco")
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: there is no chart style 'renco'; did you mean 'renko'?
    """
    try:
        return STYLES[name]
    except (KeyError, TypeError):
        raise InputError(f"there is no chart style {name!r}{nearest(str(name), list(STYLES))}") from None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a message: the nearest known name, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name.lower().replace("-", "_").replace(" ", "_"), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names)}"


def _rule(value: Any, owner: str) -> Any:
    from algotrendy.domain.interval import Interval

    try:
        return Interval.parse(value)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from error


def _loaded(point: Any) -> ChartSpec:
    try:
        spec = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the chart style {point.name!r} of an installed package cannot be loaded ({point.value}): {error};"
            " repair or remove that package"
        ) from error
    if not isinstance(spec, ChartSpec):
        raise ConfigError(f"the chart style {point.name!r} ({point.value}) is no ChartSpec; repair that package")
    return spec
