"""A strategy that is asked at the end of every bar, as one function that is compiled: much faster, and less free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from algotrendy.errors import InputError
from algotrendy.strategy.bar_strategy import BarStrategy
from algotrendy.strategy.compiled_moment import PythonMoment
from algotrendy.strategy.parameter import BARS_NAMES, is_number

if TYPE_CHECKING:
    from algotrendy.expressions import Expression
    from algotrendy.expressions.nodes import Node
    from algotrendy.strategy.bar_context import BarContext, Reading

__all__ = ["CompiledStrategy"]


class CompiledStrategy(BarStrategy):
    """Base of strategies whose decision is compiled: write a subclass with `decide(ctx)`, a static method.

    It is a `BarStrategy` in everything else: it sweeps, walks forward and is checked for look-ahead. The function is
    compiled by Numba when it is run first, together with the account; so it holds to what Numba knows (numbers, arrays,
    loops, `math`, NumPy), and to one instrument. What it may use of `ctx`:

    - `ctx.number`, `ctx.cash`, `ctx.equity`; `ctx.bar.close`, `ctx.bar.average`: columns and indicators at this bar;
    - `ctx.past.close`, `ctx.past.average`: the same as arrays from the first bar to this one, not to be written to;
    - `ctx.params.drop`; `ctx.memory.peak`, which it may set, and which is there again at the next bar;
    - `ctx.position`: `units`, `price`, `bars_held`, `profit`;
    - `ctx.buy(...)`, `ctx.sell(...)`, `ctx.close(...)`, `ctx.cancel(...)`, `ctx.replace(...)` as of a `BarStrategy`,
      but orders are numbers: each returns that of its order, -1 for none; `day=True` in place of a time in force;
    - `ctx.n_open()`; `ctx.is_open(order)`, `ctx.is_filled(order)`, `ctx.fill_price(order)`, `ctx.price_of(order)`,
      `ctx.stop_of(order)` and `ctx.target_of(order)`, the ends of its bracket.

    Parameters
    ----------
    **parameters : float
        Values in place of those of the class. In `decide` they are floats.

    Attributes
    ----------
    indicators : mapping of str to str
        What is computed of the bars beforehand, by name: one call of an indicator each, of columns, parameters and
        other calls.
    memory : mapping of str to float
        Numbers that it keeps from bar to bar, and what they are at first.
    columns : tuple of str
        Further columns of the bars that the indicators use by name; `ctx.bar` has all that are numbers anyway.

    Raises
    ------
    InputError
        If there is no `decide`, an indicator is no call of one, or a name is taken.

    See Also
    --------
    BarStrategy : the form in Python, which knows several instruments, parents and groups.

    Examples
    --------
    >>> import algotrendy as at
    >>> class Dip(CompiledStrategy):
    ...     window = 20
    ...     drop = 0.02
    ...     indicators = {"average": "sma(close, window)"}
    ...
    ...     @staticmethod
    ...     def decide(ctx):
    ...         if ctx.position.units == 0.0 and ctx.bar.close < ctx.bar.average * (1.0 - ctx.params.drop):
    ...             ctx.buy(size=0.5, stop_price=ctx.bar.close * 0.95)
    ...         elif ctx.position.units > 0.0 and ctx.bar.close > ctx.bar.average:
    ...             ctx.close()
    >>> at.backtest(Dip(drop=0.01), at.synthetic(n=500, seed=1)).metrics["n_trades"] > 0
    True
    """

    indicators: ClassVar[Mapping[str, str]] = {}
    memory: ClassVar[Mapping[str, float]] = {}
    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        kind = type(self)
        if kind.decide is CompiledStrategy.decide:
            raise InputError(f"{kind.__name__} has no decide(ctx); write one, as a @staticmethod")
        for name in ("decide", "watch"):
            own = next(vars(each)[name] for each in kind.__mro__ if name in vars(each))
            if not isinstance(own, staticmethod):
                raise InputError(f"{kind.__name__}.{name} has to be a @staticmethod: a compiled function has no self")
        for name, value in kind.memory.items():
            if not name.isidentifier() or name.startswith("_") or not is_number(value):
                raise InputError(f"memory has {name!r}: {value!r}; give names and the numbers that they are at first")
        self.expressions()

    # --- what a subclass writes ---

    @staticmethod
    def decide(ctx: Any) -> None:
        """Decide: called at the end of each bar."""

    @staticmethod
    def watch(ctx: Any) -> None:
        """Take note of a bar in `ctx.memory`: called at each one before `decide`, and where nothing is traded."""

    # --- what runs it ---

    @property
    def watches(self) -> Callable[[Any], None] | None:
        """`watch`, if the subclass has one."""
        return None if type(self).watch is CompiledStrategy.watch else type(self).watch

    def expressions(self) -> dict[str, Expression]:
        """Return its indicators, parsed.

        Raises
        ------
        InputError
            If one is no call of an indicator, or has a name that is taken.
        """
        from algotrendy.expressions import nodes
        from algotrendy.strategy.texts import parse_text

        found = {}
        for name, text in type(self).indicators.items():
            if not name.isidentifier() or name.startswith("_") or name in (*BARS_NAMES, *self.columns):
                raise InputError(f"an indicator is called {name!r}; choose a name of letters that no column has")
            parsed = parse_text(f"indicator {name}", text, "number", tuple(self.numbers), self.columns)
            if not isinstance(parsed.root, nodes.Indicator):
                raise InputError(
                    f"indicator {name} is {text!r}; give one call of an indicator, such as 'sma(close, window)', and"
                    " calculate with it in decide"
                )
            found[name] = parsed
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return a description in plain values."""
        return {**super().to_dict(), "indicators": dict(type(self).indicators)}

    # --- the same in Python: for whoever asks a BarStrategy ---

    def start(self, ctx: BarContext) -> None:
        """Ask for the indicators."""
        if len(ctx.symbols) > 1:
            raise InputError(
                f"{type(self).__name__} is compiled, which is for one instrument; there are {len(ctx.symbols)}: write a"
                " BarStrategy with on_bar(self, ctx)"
            )
        readings = {name: self._reading(ctx, parsed.root) for name, parsed in self.expressions().items()}
        memory = SimpleNamespace(**{name: float(value) for name, value in type(self).memory.items()})
        params = SimpleNamespace(**{name: float(value) for name, value in self.numbers.items()})
        self._moment = PythonMoment(readings, params, memory)

    def observe(self, ctx: BarContext) -> None:
        """Call `watch` in Python."""
        if self.watches is not None:
            self.watches(self._moment.at(ctx))

    def on_bar(self, ctx: BarContext) -> None:
        """Call `decide` in Python."""
        type(self).decide(self._moment.at(ctx))

    def _reading(self, ctx: BarContext, node: Node) -> Reading:
        from algotrendy.expressions import nodes

        assert isinstance(node, nodes.Indicator)
        numbers = [self._number(each) for each in node.arguments]
        if not node.inputs:
            return ctx.indicator(node.name, *numbers)
        inner = node.inputs[0]
        if isinstance(inner, nodes.Column):
            return ctx.indicator(node.name, *numbers, of=inner.name)
        if len(node.inputs) > 1 or not isinstance(inner, nodes.Indicator):
            raise InputError(f"{node.name} is of more than a column or a call; calculate with columns in decide")
        return ctx.indicator(node.name, *numbers, of=self._reading(ctx, inner))

    def _number(self, node: Node) -> float:
        from algotrendy.expressions import nodes

        if isinstance(node, nodes.Number):
            return node.value
        if isinstance(node, nodes.Parameter):
            return self.numbers[node.name]
        raise InputError("a parameter of an indicator is a number or the name of one")
