"""A chart by the name of its style: to be called at once, or kept and handed on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algotrendy.charts.registry import ChartStream, lookup
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.calendar import Calendar
    from algotrendy.domain.interval import Interval


class Chart:
    """A chart style with its parameters, checked, to be applied to data later.

    Parameters
    ----------
    style : str
        Such as 'renko'; `list(charts.STYLES)` gives all.
    **params
        Parameters of the style.

    Raises
    ------
    InputError
        If there is no such style or parameter (the nearest is proposed), or a value is not allowed.

    Examples
    --------
    >>> Chart("renko", size=2)
    Chart('renko', size=2)
    >>> Chart("renko", siez=2)
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: charts.renko has no parameter 'siez'; did you mean 'size'?
    """

    def __init__(self, style: str, **params: Any) -> None:
        lookup(style).bind(params)
        self.style = style
        self.params: Mapping[str, Any] = MappingProxyType(dict(params))

    @classmethod
    def of(cls, given: Any) -> Chart:
        """Return the chart that a name, a mapping with the key `style`, or a Chart means.

        Raises
        ------
        InputError
            If it is none of these.
        """
        if isinstance(given, Chart):
            return given
        if isinstance(given, str):
            return cls(given)
        if isinstance(given, Mapping) and "style" in given:
            values = dict(given)
            return cls(values.pop("style"), **values)
        raise InputError(
            f"a chart is a {type(given).__name__}; give the name of a style such as 'heikin_ashi', or"
            " charts.Chart('renko', size=1.0)"
        )

    def rows(
        self,
        data: pd.DataFrame | pd.Series[Any],
        *,
        partial: bool = False,
        interval: Interval | str | None = None,
        calendar: Calendar | str | None = None,
    ) -> pd.DataFrame:
        """Return the rows of the chart of `data`."""
        batch = lookup(self.style).batch
        return batch(data, partial=partial, interval=interval, calendar=calendar, **self._named())

    def stream(self, *, interval: Any = None, calendar: Any = None) -> ChartStream:
        """Return the chart as something that is fed event by event."""
        return lookup(self.style).stream(interval=interval, calendar=calendar, **self.params)

    def to_dict(self) -> dict[str, Any]:
        """Return style and parameters in plain values; `Chart.of` reads them."""
        plain = (str, int, float, bool, type(None))
        params = {name: value if isinstance(value, plain) else str(value) for name, value in self.params.items()}
        return {"style": self.style, **params}

    def _named(self) -> dict[str, Any]:
        """Return the parameters under their first names."""
        first = {alias: info.name for info in lookup(self.style).parameters for alias in (info.name, *info.aliases)}
        return {first[name]: value for name, value in self.params.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return Chart.of, (self.to_dict(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chart) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().items()))

    def __repr__(self) -> str:
        return f"Chart({', '.join([repr(self.style), *(f'{key}={value!r}' for key, value in self.params.items())])})"


def chart(
    data: pd.DataFrame | pd.Series[Any],
    style: str,
    *,
    partial: bool = False,
    interval: Interval | str | None = None,
    calendar: Calendar | str | None = None,
    **params: Any,
) -> pd.DataFrame:
    """Return the rows of a chart by the name of its style.

    Parameters
    ----------
    data : DataFrame or Series
        Bars or trades; see the functions of the styles.
    style : str
        `time heikin_ashi renko range point_figure kagi line_break tick volume dollar imbalance runs`, or one that was
        registered.
    partial : bool
        Add the row in the making, marked in the column `is_partial`.
    interval, calendar : optional
        Length of the bars, and when daily bars are known.
    **params
        Parameters of the style.

    Returns
    -------
    DataFrame
        One row per bar of the chart; see the functions of the styles.

    Raises
    ------
    InputError
        If there is no such style or parameter (the nearest is proposed), a value is not allowed, or the data is not
        sound.

    Examples
    --------
    >>> import algotrendy as at
    >>> rows = chart(at.synthetic(n=100, seed=1), "line_break", lines=2)
    >>> rows.index.name, bool((rows["close"] != rows["open"]).all())
    ('line', True)
    """
    return Chart(style, **params).rows(data, partial=partial, interval=interval, calendar=calendar)


def by_time(rows: pd.DataFrame, at: str = "closed_at") -> pd.DataFrame:
    """Return the rows of a chart with a time as their index, where no two rows have the same.

    Parameters
    ----------
    rows : DataFrame
        From any style.
    at : {'closed_at', 'opened_at'}
        Which time. Bars are stamped with their start, so `opened_at` makes bars of the rows of `charts.time`.

    Returns
    -------
    DataFrame
        The same rows; the index is named `time`, the column stays.

    Raises
    ------
    InputError
        If the rows are none of a chart, or two of them have the same time, as the bricks of one jump do.

    Examples
    --------
    >>> import pandas as pd
    >>> stamps = pd.date_range("2024-03-01", periods=3, freq="s", tz="UTC")
    >>> trades = pd.DataFrame({"price": [10.0, 11.0, 12.0], "size": 1.0}, index=stamps)
    >>> by_time(chart(trades, "tick", size=1)).index.equals(stamps)
    True
    """
    if at not in ("closed_at", "opened_at"):
        raise InputError(f"at is {at!r}; choose 'closed_at' or 'opened_at'")
    if at not in getattr(rows, "columns", ()):
        raise InputError(f"there is no column {at!r}: by_time takes the rows of a chart, as charts.renko returns them")
    index = rows.set_index(at, drop=False).index.rename("time")
    twice = index.duplicated()
    if twice.any():
        row = int(twice.argmax())
        raise InputError(
            f"{int(twice.sum())} of {len(index)} rows have the same {at} as the one before, first row {row} at"
            f" {index[row]}; keep the last of each: rows = rows.drop_duplicates({at!r}, keep='last')"
        )
    return rows.set_axis(index)
