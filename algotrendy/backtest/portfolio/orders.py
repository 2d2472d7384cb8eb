"""Explicit orders: from a frame with one row per order to the run of an account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.portfolio.ledger import Ledger, full_ledger
from algotrendy.backtest.portfolio.market import Account
from algotrendy.backtest.portfolio.stamps import first_at_or_after, stamps_of
from algotrendy.domain.types import Bool1D, Float1D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import LIMIT, MARKET, STOP_ORDER, Fills, empty_fills
from algotrendy.strategy.parameter import nearest

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.kernels.portfolio_orders import Requests

__all__ = ["COLUMNS", "frame_of", "requests_of", "run_orders"]

COLUMNS = (
    "time",
    "symbol",
    "side",
    "quantity",
    "size",
    "type",
    "limit_price",
    "stop_price",
    "time_in_force",
    "id",
    "parent",
    "group",
    "reduce_only",
)
KINDS = {"market": MARKET, "limit": LIMIT, "stop": STOP_ORDER}
_FIRST_FILLS = 1024
_PRICE_OF = {"limit": "limit_price", "stop": "stop_price"}


def run_orders(account: Account, orders: Any) -> tuple[Ledger, pd.DataFrame]:
    """Work explicit orders; return the run, and the orders with how each ended in a column `status`.

    With extras a column `filled` says how many units were filled of each, in units of the day on which it was placed.

    Raises
    ------
    InputError
        If the orders are not a frame with the columns that are needed, or a value in it is not allowed.
    """
    from algotrendy.kernels.portfolio_events import walk_orders
    from algotrendy.kernels.portfolio_orders import STATUS

    frame = frame_of(orders, account)
    requests = requests_of(account, frame)
    if account.extras is not None:
        return _run_full(account, requests, frame)
    n_orders = len(frame)
    fills = empty_fills(2 * n_orders + 2 * account.n_instruments)
    curve, status = np.empty((3, account.n_bars)), np.zeros(n_orders, np.int64)
    n_fills, ruined_at = walk_orders(account.venue(fills, account.market), requests, curve, status)
    done = Fills(fills.places[:n_fills].copy(), fills.money[:n_fills].copy())
    ledger = Ledger(account, done, curve, None if ruined_at < 0 else int(ruined_at))
    return ledger, frame.assign(status=[STATUS[k] for k in status])


def _run_full(account: Account, requests: Requests, frame: pd.DataFrame) -> tuple[Ledger, pd.DataFrame]:
    """Work explicit orders in an account with extras."""
    from algotrendy.kernels.portfolio_events_full import ROOM_PER_BAR, walk_orders_full
    from algotrendy.kernels.portfolio_orders import STATUS

    ends: dict[str, Any] = {}

    def walk(fills: Fills, curve: Float2D, unfilled: Float2D) -> tuple[int, int]:
        own = requests._replace(units=requests.units.copy(), price=requests.price.copy())
        venue = account.venue(fills, account.market)
        n_fills, ruined_at, status, filled = walk_orders_full(venue, own, account.kernel_extras, (curve, unfilled))
        ends.update(status=[STATUS[k] for k in status], filled=filled)
        return n_fills, ruined_at

    room = 2 * len(frame) + ROOM_PER_BAR * account.n_instruments
    ledger = full_ledger(account, walk, 2 * room + _FIRST_FILLS)
    return ledger, frame.assign(**ends)


def requests_of(account: Account, frame: pd.DataFrame) -> Requests:
    """Return a checked frame of orders, sorted by time, as the kernel takes it."""
    from algotrendy.kernels.portfolio_orders import Requests

    stamps = stamps_of(frame["time"], account.panel.index, "orders")
    placed_at = first_at_or_after(account.panel.index, stamps)
    instrument = _instruments(frame, account)
    kinds = [_one_of("type", value, tuple(KINDS)) for value in _column(frame, "type", "market")]
    parent, group = _parents(frame), _groups(frame)
    reduces = np.array([_truth("reduce_only", value) for value in _column(frame, "reduce_only", False)], dtype=bool)
    units, measure = _amounts(frame, account, instrument, parent, reduces)
    return Requests(
        placed_at=placed_at,
        instrument=instrument,
        kind=np.array([KINDS[kind] for kind in kinds], dtype=np.int64),
        units=units,
        measure=measure,
        reduces=reduces,
        price=_prices(frame, kinds) * account.multipliers[instrument],
        is_day=np.array(
            [_one_of("time_in_force", v, ("DAY", "GTC")) == "DAY" for v in _column(frame, "time_in_force", "GTC")],
            dtype=bool,
        ),
        parent=parent,
        group=group,
        first_child=_firsts(parent, len(frame)),
        next_child=_nexts(parent),
        first_of_group=_firsts(group, int(group.max(initial=-1)) + 1),
        next_of_group=_nexts(group),
        sessions=account.sessions,
    )


def frame_of(orders: Any, account: Account) -> pd.DataFrame:
    """Return orders as a checked frame, sorted by time."""
    import pandas as pd

    if not isinstance(orders, pd.DataFrame):
        orders = pd.DataFrame(orders) if isinstance(orders, list) else orders
    if not isinstance(orders, pd.DataFrame):
        raise InputError(
            f"orders is a {type(orders).__name__}; give a frame or a list of rows with time, symbol, quantity"
        )
    if not len(orders):
        raise InputError("orders has no row; give at least one order")
    if "time" not in orders.columns and isinstance(orders.index, pd.DatetimeIndex):
        orders = orders.rename_axis("time").reset_index()
    if "symbol" not in orders.columns and account.n_instruments == 1:
        orders = orders.assign(symbol=account.panel.symbols[0])
    for name in orders.columns:
        if name not in COLUMNS:
            raise InputError(f"orders has an unknown column {name!r}{nearest(str(name), COLUMNS)}")
    for name in ("time", "symbol", "quantity"):
        if name not in orders.columns and not (name == "quantity" and "size" in orders.columns):
            raise InputError(f"orders has no column {name!r}; it needs time, symbol and quantity")
    ordered: pd.DataFrame = orders.sort_values("time", kind="stable").reset_index(drop=True)
    return ordered


def _column(frame: pd.DataFrame, name: str, default: Any) -> list[Any]:
    """Return a column, with the default where it or a value is missing."""
    import pandas as pd

    if name not in frame.columns:
        return [default] * len(frame)
    return [default if pd.isna(value) else value for value in frame[name]]


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    for each in known:
        if str(value).lower() == each.lower():
            return each
    raise InputError(f"{name} is {value!r}; use one of {', '.join(known)}")


def _instruments(frame: pd.DataFrame, account: Account) -> Int1D:
    places = {symbol: j for j, symbol in enumerate(account.panel.symbols)}
    for symbol in frame["symbol"]:
        if symbol not in places:
            raise InputError(f"an order is for {symbol!r}, which has no bars{nearest(str(symbol), places)}")
    return np.array([places[symbol] for symbol in frame["symbol"]], dtype=np.int64)


def _amounts(
    frame: pd.DataFrame, account: Account, instrument: Int1D, parent: Int1D, reduces: Bool1D
) -> tuple[Float1D, Int1D]:
    """Return what is wanted of each order, with its sign, and what that is: units, a share, what its parent fills."""
    from algotrendy.kernels.portfolio_orders import OF_PARENT, OWN_UNITS, SHARE

    n = len(frame)
    units, sizes = (
        np.array(_column(frame, name, np.nan), dtype=np.float64) if name in frame.columns else np.full(n, np.nan)
        for name in ("quantity", "size")
    )
    own, share = ~np.isnan(units), ~np.isnan(sizes)
    of_parent = ~own & ~share & (parent >= 0)
    for row in np.flatnonzero(own & share):
        raise InputError(f"the order in row {row} has a quantity and a size; give one of them")
    for row in np.flatnonzero(share & reduces):
        raise InputError(f"the order in row {row} only closes, so it has a quantity (inf closes all), not a size")
    wanted = np.where(share, sizes, units) * _signs(frame, np.where(share, sizes, units))
    for row in np.flatnonzero(
        ~of_parent & ((wanted == 0.0) | np.isnan(wanted) | (np.isinf(wanted) & ~(own & reduces)))
    ):
        raise InputError(f"the quantity of the order in row {row} is {wanted[row]:g}; use units, not zero")
    for row in np.flatnonzero(share & (np.abs(wanted) > account.options.max_leverage)):
        raise InputError(
            f"the size of the order in row {row} is {abs(wanted[row]):g} times the equity, above max_leverage; write"
            " units as quantity, or raise max_leverage"
        )
    _check_lots(wanted, own & np.isfinite(wanted), account.terms.lot_size[instrument])
    for row in np.flatnonzero(of_parent):  # a chain of such orders ends at one that has an amount of its own
        side, above = -1.0, int(parent[row])
        while of_parent[above]:
            side, above = -side, int(parent[above])
        wanted[row] = side * np.sign(wanted[above]) * np.inf
    return wanted, np.select([share, of_parent], [SHARE, OF_PARENT], OWN_UNITS).astype(np.int64)


def _signs(frame: pd.DataFrame, amounts: Float1D) -> Float1D:
    """Return 1.0 for each order, with its sign where that is given by a side."""
    if "side" not in frame.columns:
        return np.ones(len(frame))
    if (amounts < 0.0).any():
        raise InputError("there is a side and a negative quantity; with side= all quantities are above zero")
    signs = {"BUY": 1.0, "SELL": -1.0}
    return np.array([signs[_one_of("side", side, tuple(signs))] for side in frame["side"]])


def _check_lots(units: Float1D, asked: Bool1D, lots: Float1D) -> None:
    whole = np.divide(units, lots, out=np.zeros_like(units), where=asked & (lots > 0.0))
    for row in np.flatnonzero(np.abs(whole - np.round(whole)) > 1e-9):
        raise InputError(
            f"the quantity of the order in row {row} is {units[row]:g}, no multiple of the lot {lots[row]:g}; round it,"
            " or use units='fractional'"
        )


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(f"{name} is {value!r}; use True or False")


def _prices(frame: pd.DataFrame, kinds: Sequence[str]) -> Float1D:
    limit, stop = _column(frame, "limit_price", np.nan), _column(frame, "stop_price", np.nan)
    prices = np.zeros(len(frame))
    for row, kind in enumerate(kinds):
        given = {"limit_price": limit[row], "stop_price": stop[row]}
        wanted = _PRICE_OF.get(kind)
        for name, value in given.items():
            if name != wanted and not np.isnan(value):
                raise InputError(f"the {kind} order in row {row} has a {name}; leave it out, or change its type")
        if wanted is not None:
            prices[row] = float(given[wanted])
            if not 0.0 < prices[row] < np.inf:
                raise InputError(f"the {kind} order in row {row} has the {wanted} {prices[row]:g}; use a price above 0")
    return prices


def _parents(frame: pd.DataFrame) -> Int1D:
    """Return the row of each order's parent, -1 for none."""
    ids = _column(frame, "id", None)
    places: dict[Any, int] = {}
    for row, each in enumerate(ids):
        if each is not None:
            if each in places:
                raise InputError(f"two orders have the id {each!r}; give each its own")
            places[each] = row
    parents = _column(frame, "parent", None)
    for row, each in enumerate(parents):
        if each is not None and (each not in places or places[each] == row):
            raise InputError(f"the order in row {row} has the parent {each!r}, which is the id of no other order")
    found = np.array([-1 if each is None else places[each] for each in parents], dtype=np.int64)
    for row in range(len(found)):
        at, steps = int(found[row]), 0
        while at >= 0:
            at, steps = int(found[at]), steps + 1
            if steps > len(found):
                raise InputError(f"the order in row {row} is its own ancestor; parents may not form a circle")
    return found


def _groups(frame: pd.DataFrame) -> Int1D:
    numbers: dict[Any, int] = {}
    return np.array(
        [-1 if each is None else numbers.setdefault(each, len(numbers)) for each in _column(frame, "group", None)],
        dtype=np.int64,
    )


def _firsts(links: Int1D, size: int) -> Int1D:
    """Return for each number the first row that links to it, -1 for none."""
    firsts = np.full(size, -1, dtype=np.int64)
    for row in range(len(links) - 1, -1, -1):
        if links[row] >= 0:
            firsts[links[row]] = row
    return firsts


def _nexts(links: Int1D) -> Int1D:
    """Return for each row the next row with the same link, -1 for none."""
    nexts = np.full(len(links), -1, dtype=np.int64)
    latest: dict[int, int] = {}
    for row in range(len(links) - 1, -1, -1):
        link = int(links[row])
        if link >= 0:
            nexts[row] = latest.get(link, -1)
            latest[link] = row
    return nexts
