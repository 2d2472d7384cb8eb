"""A book of tax lots: fills go in, lots and disposals come out, to the last digit. Not tax advice.

Every fill opens a lot, closes lots, or both when it crosses zero. Quantities of the lots add up to the position; cash
that came in and went out, cost and gain add up exactly, whatever the method, wash sales and splits included: realised
plus unrealised is the total, with no rounding left over.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from algotrendy.domain.fill import Fill
from algotrendy.domain.money import as_decimal, exactly, share
from algotrendy.domain.position import Position, split_quantity
from algotrendy.errors import InputError
from algotrendy.portfolio.lot import Closing, Disposal, Lot, LotMethod, choose_lots, pooled
from algotrendy.portfolio.tax import TaxRules, WashRule

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.corporate_action import CorporateAction

__all__ = ["LotBook"]


@dataclass(frozen=True, slots=True)
class _Loss:
    """A loss that later purchases may still take over: the units of it that found no replacement yet."""

    place: int
    quantity: Decimal
    amount: Decimal
    closed_on: datetime.date
    days_held: int
    is_short: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LotBook:
    """All lots of an account and all that was closed. It is frozen: each fill gives a new book.

    Attributes
    ----------
    method : LotMethod
        Which lots are closed first, unless a fill says otherwise; a text such as "hifo" is turned into one.
    rules : TaxRules or None
        Needed by the method "minimum_tax".
    wash : WashRule or None
        The rule under which losses are disallowed, such as `UsWashSale()`; None: none is.
    time_zone : str
        In which the day of a fill is counted: "America/New_York" for its exchanges.
    lots : mapping of str to tuple of Lot
        By instrument, oldest first.
    disposals : tuple of Disposal
        In the order of the fills.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> def fill(name, day, side, quantity, price):
    ...     return Fill(execution_id=name, instrument="ACME", side=side, quantity=quantity, price=price,
    ...                 filled_at=datetime(2024, 1, day, 15, tzinfo=UTC))
    >>> book = LotBook(method="hifo").with_fill(fill("f1", 2, "BUY", 100, 10)).with_fill(fill("f2", 3, "BUY", 100, 12))
    >>> book = book.with_fill(fill("f3", 4, "SELL", 150, 11))
    >>> [(row.lot.lot_id, row.lot.quantity, row.gain) for row in book.disposals]
    [('f2', Decimal('100'), Decimal('-100')), ('f1', Decimal('50'), Decimal('50'))]
    >>> book.realised(), book.unrealised({"ACME": 11})
    (Decimal('-50'), Decimal('50'))
    """

    method: LotMethod = LotMethod.FIFO
    rules: TaxRules | None = None
    wash: WashRule | None = None
    time_zone: str = "UTC"
    lots: Mapping[str, tuple[Lot, ...]] = field(default_factory=dict)
    disposals: tuple[Disposal, ...] = ()
    _losses: Mapping[str, tuple[_Loss, ...]] = field(default_factory=dict, repr=False)
    _washed: int = field(default=0, repr=False)
    _last_at: datetime.datetime | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "method", LotMethod(self.method))
        except ValueError as error:
            raise InputError(
                f"{self.method!r} is no method for lots; expected one of {', '.join(LotMethod)}"
            ) from error
        object.__setattr__(self, "lots", MappingProxyType(dict(self.lots)))
        object.__setattr__(self, "_losses", MappingProxyType(dict(self._losses)))

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("method", "rules", "wash", "time_zone", "disposals", "_washed", "_last_at")
        return (
            _book,
            ({name: getattr(self, name) for name in names}, dict(self.lots), dict(self._losses)),
        )

    # --- what happens ---

    @exactly
    def with_fill(
        self,
        fill: Fill,
        *,
        method: LotMethod | str | None = None,
        lots: Mapping[str, Any] | None = None,
    ) -> LotBook:
        """Return the book after a fill.

        Its commission is shared between the lots that it closes and the one that it opens, by quantity: it adds to
        what is paid and is taken off what is received.

        Parameters
        ----------
        fill : Fill
            In the order of time. `fill.converted(rates)` turns one in another currency into the currency of the tax.
        method : LotMethod or str, optional
            For this fill, instead of the book's.
        lots : mapping of str to number, optional
            Lot id to quantity: the specific lots that are closed.

        Returns
        -------
        LotBook
            A new book.

        Raises
        ------
        InputError
            If the fill is earlier than the one before, in another currency than what is held, or the lots that are
            named are not held or do not have the fill's quantity.
        """
        if self._last_at is not None and fill.filled_at < self._last_at:
            raise InputError(
                f"the fill {fill.execution_id} of {fill.filled_at} is earlier than the last one, {self._last_at}; "
                "give fills in the order of time"
            )
        held = self.lots.get(fill.instrument, ())
        if held and (held[0].currency, held[0].multiplier) != (fill.currency, fill.multiplier):
            raise InputError(
                f"the fill {fill.execution_id} is in {fill.currency} x {fill.multiplier}, the lots of "
                f"{fill.instrument} in {held[0].currency} x {held[0].multiplier}"
            )
        book = replace(self, _last_at=fill.filled_at)
        size = abs(sum((lot.quantity for lot in held), Decimal(0)))
        closes = min(size, fill.quantity) if held and held[0].is_short == (fill.side.sign > 0) else Decimal(0)
        commission = share(fill.commission, closes, fill.quantity)
        if closes:
            chosen = LotMethod.SPECIFIC if lots is not None else LotMethod(method or self.method)
            closing = Closing(
                quantity=closes, price=fill.price, on=self._day(fill), method=chosen, rules=self.rules, named=lots
            )
            book = book._closed(fill, closing, commission)
        elif lots is not None:
            raise InputError(f"the fill {fill.execution_id} closes nothing, but lots are named for it")
        if fill.quantity > closes:
            book = book._opened(fill, fill.quantity - closes, fill.commission - commission)
        return book

    @exactly
    def with_split(self, instrument: str, new: int, old: int) -> LotBook:
        """Return the book after a split of `new` units for each `old` ones; costs and dates stay.

        Quantities are rounded to 18 decimals by their running total, so that they still add up to the position's.

        Raises
        ------
        InputError
            If nothing is left of a lot.
        """
        lots = self.lots.get(instrument, ())
        before = after = Decimal(0)
        found = []
        for lot in lots:
            before += lot.quantity
            upto = split_quantity(before, new, old)
            if upto == after:
                raise InputError(f"a split of {new} for {old} leaves the lot {lot.lot_id} of {lot.quantity} no unit")
            found.append(replace(lot, quantity=upto - after))
            after = upto
        losses = tuple(
            replace(loss, quantity=split_quantity(loss.quantity, new, old)) for loss in self._losses.get(instrument, ())
        )
        return self._with(instrument, tuple(found), losses)

    def with_action(self, action: CorporateAction) -> LotBook:
        """Return the book after a corporate action; a dividend changes nothing in it.

        Lots of a split keep cost and dates. A fraction that is paid in cash is sold by the method of the book.

        Raises
        ------
        InputError
            If it is earlier than the last fill, or leaves a lot without units.
        """
        if self._last_at is not None and action.effective_at < self._last_at:
            raise InputError(
                f"the action {action.action_id} of {action.effective_at} is earlier than the last fill, "
                f"{self._last_at}; give fills and actions in the order of time"
            )
        held = self.lots.get(action.instrument, ())
        if not action.is_split:
            return self
        book = replace(self.with_split(action.instrument, action.new, action.old), _last_at=action.effective_at)
        fill = action.fraction_sold(book.position(action.instrument)) if held else None
        if fill is None:
            return book
        return book.with_fill(fill, method=LotMethod.FIFO if self.method is LotMethod.SPECIFIC else None)

    def _day(self, fill: Fill) -> datetime.date:
        return fill.filled_at.astimezone(ZoneInfo(self.time_zone)).date()

    def _with(self, instrument: str, lots: tuple[Lot, ...], losses: tuple[_Loss, ...]) -> LotBook:
        return replace(self, lots={**self.lots, instrument: lots}, _losses={**self._losses, instrument: losses})

    def _closed(self, fill: Fill, closing: Closing, commission: Decimal) -> LotBook:
        held = self.lots[fill.instrument]
        if closing.method is LotMethod.AVERAGE:
            held = pooled(held)
        taken = choose_lots(held, closing)
        left: dict[str, Lot | None] = {lot.lot_id: lot for lot in held}
        rows, given, done = [], Decimal(0), Decimal(0)
        for lot, quantity in taken:
            part, left[lot.lot_id] = lot.cut(quantity)
            done += quantity
            upto = share(commission, done, closing.quantity)
            cash = part.quantity * fill.price * fill.multiplier - (upto - given)
            given = upto
            rows.append(
                Disposal(disposal_id=f"{fill.execution_id}:{lot.lot_id}", lot=part, closed_on=closing.on, cash=cash)
            )
        first = len(self.disposals)
        kept = tuple(lot for lot in left.values() if lot is not None)
        book = replace(self, disposals=self.disposals + tuple(rows))
        book = book._with(fill.instrument, kept, book._losses.get(fill.instrument, ()))
        if self.wash is None:
            return book
        sold = {lot.opened_by for lot, _ in taken}
        for place in range(first, len(book.disposals)):
            book = book._wash_with_held(place, sold)
        return book

    def _opened(self, fill: Fill, quantity: Decimal, commission: Decimal) -> LotBook:
        units = quantity * fill.side.sign
        day = self._day(fill)
        lot = Lot(
            lot_id=fill.execution_id,
            opened_by=fill.execution_id,
            instrument=fill.instrument,
            quantity=units,
            cost=units * fill.price * fill.multiplier + commission,
            opened_on=day,
            held_since=day,
            currency=fill.currency,
            multiplier=fill.multiplier,
        )
        held = self.lots.get(fill.instrument, ())
        if any(one.opened_by == lot.opened_by for one in held):
            raise InputError(f"there is a lot {lot.lot_id} already: the same execution twice?")
        book = self._with(fill.instrument, (*held, lot), self._losses.get(fill.instrument, ()))
        return book if self.wash is None else book._wash_with_new(lot, self.wash)

    # --- wash sales ---

    def _wash_with_held(self, place: int, sold: set[str]) -> LotBook:
        """Match a loss with purchases before it that are still held, and keep what found none for later ones."""
        row = self.disposals[place]
        if row.gain >= 0 or self.wash is None:
            return self
        loss = _Loss(
            place=place,
            quantity=abs(row.lot.quantity),
            amount=-row.gain,
            closed_on=row.closed_on,
            days_held=(row.closed_on - row.lot.held_since).days,
            is_short=row.lot.is_short,
        )
        book: LotBook = self
        for lot in self.lots[row.lot.instrument]:
            is_free = not lot.replaces and lot.opened_by not in sold and lot.is_short == loss.is_short
            if loss.quantity and is_free and self.wash.covers(loss.closed_on, lot.opened_on):
                book, loss = book._washed_by(lot, loss)
        kept = book._losses.get(row.lot.instrument, ())
        return book._with(row.lot.instrument, book.lots[row.lot.instrument], (*kept, loss)) if loss.quantity else book

    def _wash_with_new(self, lot: Lot, wash: WashRule) -> LotBook:
        """Let a new lot take over losses before it, in the order of the sales."""
        book: LotBook = self
        losses = list(self._losses.get(lot.instrument, ()))
        free: Lot | None = lot
        for place, loss in enumerate(losses):
            if free is None:
                break
            if loss.is_short == lot.is_short and wash.covers(loss.closed_on, lot.opened_on):
                size = abs(free.quantity)
                before = loss.quantity
                book, losses[place] = book._washed_by(free, loss)
                free = (
                    None
                    if before >= size
                    else next(one for one in book.lots[lot.instrument] if one.lot_id == lot.lot_id)
                )
        open_losses = tuple(loss for loss in losses if loss.quantity)
        return book._with(lot.instrument, book.lots[lot.instrument], open_losses)

    def _washed_by(self, lot: Lot, loss: _Loss) -> tuple[LotBook, _Loss]:
        """Move the loss of as many units as the lot has into the lot's cost."""
        quantity = min(abs(lot.quantity), loss.quantity)
        amount = share(loss.amount, quantity, loss.quantity)
        part, rest = lot.cut(quantity)
        washed = self._washed + (rest is not None)
        row = self.disposals[loss.place]
        since = part.opened_on
        if self.wash is not None and self.wash.keeps_holding_period:
            since -= datetime.timedelta(days=loss.days_held)
        taken = replace(
            part,
            lot_id=f"{lot.lot_id}#w{washed}" if rest is not None else lot.lot_id,
            cost=part.cost + amount,
            adjustment=part.adjustment + amount,
            held_since=since,
            replaces=(*part.replaces, row.disposal_id),
        )
        lots = []
        for one in self.lots[lot.instrument]:
            lots += [one] if one.lot_id != lot.lot_id else [taken] if rest is None else [taken, rest]
        after = replace(row, disallowed=row.disallowed + amount, replaced_by=(*row.replaced_by, taken.lot_id))
        disposals = (*self.disposals[: loss.place], after, *self.disposals[loss.place + 1 :])
        book = replace(self, disposals=disposals, lots={**self.lots, lot.instrument: tuple(lots)}, _washed=washed)
        return book, replace(loss, quantity=loss.quantity - quantity, amount=loss.amount - amount)

    # --- what it says ---

    @exactly
    def quantity(self, instrument: str) -> Decimal:
        """Return the sum of the lots of an instrument."""
        return sum((lot.quantity for lot in self.lots.get(instrument, ())), Decimal(0))

    @exactly
    def position(self, instrument: str) -> Position:
        """Return the position that the lots of an instrument make, its cost being theirs."""
        lots = self.lots.get(instrument, ())
        if not lots:
            return Position(instrument=instrument)
        return Position(
            instrument=instrument,
            quantity=self.quantity(instrument),
            cost=sum((lot.cost for lot in lots), Decimal(0)),
            currency=lots[0].currency,
            multiplier=lots[0].multiplier,
        )

    @exactly
    def realised(self) -> Decimal:
        """Return the gain of all that was closed, less the losses that were moved into the cost of other lots.

        Everything has to be in one currency.
        """
        _one_currency(self)
        return sum((row.taxable_gain for row in self.disposals), Decimal(0))

    @exactly
    def unrealised(self, prices: Mapping[str, Any]) -> Decimal:
        """Return what closing all lots at these prices would realise, before commission.

        Raises
        ------
        InputError
            If an instrument that is held has no price, or there are several currencies.
        """
        _one_currency(self)
        total = Decimal(0)
        for instrument, lots in self.lots.items():
            if lots and instrument not in prices:
                raise InputError(f"there is no price for {instrument}; every instrument that is held needs one")
            for lot in lots:
                total += lot.unrealised(as_decimal(prices[instrument], f"the price of {instrument}"))
        return total

    def washed_until(self, instrument: str, on: datetime.date) -> datetime.date | None:
        """Return the last day on which a purchase would take over a loss that is open on a day; None: none is open.

        Raises
        ------
        InputError
            If the rule covers more than a year, so that no last day is found.
        """
        if self.wash is None:
            return None
        days = [on + datetime.timedelta(days=ahead) for ahead in range(367)]
        losses = [loss for loss in self._losses.get(instrument, ()) if self.wash.covers(loss.closed_on, on)]
        covered = [day for day in days if any(self.wash.covers(loss.closed_on, day) for loss in losses)]
        if covered and covered[-1] == days[-1]:
            raise InputError(f"the wash rule covers purchases of {instrument} for more than a year")
        return covered[-1] if covered else None

    def frame(self) -> pd.DataFrame:
        """Return the lots as a frame: lot, instrument, quantity, cost, unit_cost, opened_on, held_since, adjustment."""
        import pandas as pd

        names = ("lot", "instrument", "quantity", "cost", "unit_cost", "opened_on", "held_since", "adjustment")
        rows = [
            [
                lot.lot_id,
                lot.instrument,
                lot.quantity,
                lot.cost,
                lot.unit_cost,
                lot.opened_on,
                lot.held_since,
                lot.adjustment,
            ]
            for lots in self.lots.values()
            for lot in lots
        ]
        return pd.DataFrame(rows, columns=pd.Index(names), dtype=object)


def _one_currency(book: LotBook) -> None:
    found = {lot.currency for lots in book.lots.values() for lot in lots} | {row.lot.currency for row in book.disposals}
    if len(found) > 1:
        raise InputError(
            f"the book has lots in {', '.join(sorted(found))}; a sum needs one currency: "
            "enter each fill as fill.converted(rates of its day)"
        )


def _book(fields: dict[str, Any], lots: dict[str, tuple[Lot, ...]], losses: dict[str, tuple[_Loss, ...]]) -> LotBook:
    return LotBook(lots=lots, _losses=losses, **fields)
