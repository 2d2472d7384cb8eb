"""What a look-ahead check found: the verdict, each leak with an example, the warm-up, what was tested, at what cost."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.lookahead.proof import Proof
from algotrendy.backtest.lookahead.warm_up import WarmUp
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROVED", "Detection", "Example", "Leak", "LookaheadReport"]

PROVED, NONE_FOUND, LEAK = "proved clean", "no leak found", "leak"
NOT_DETERMINISTIC, CANNOT_TELL = "not deterministic", "cannot tell"
RATES = (0.01, 0.05, 0.10)
_LISTED = 12


@dataclass(frozen=True, eq=False)
class Example:
    """Two runs that show a leak.

    Attributes
    ----------
    bars : DataFrame
        Bars that begin as the bars that were checked, and go on differently. Run the function on both.
    row : int
        The row of output to compare.
    at : Timestamp
        Its bar.
    first_changed : int
        The first row of the bars that is another.
    before, after : object
        The output at that row for the bars as they are, and for these bars.
    change : str
        What was done, in words.
    """

    bars: pd.DataFrame = field(repr=False)
    row: int
    at: Any
    first_changed: int
    before: Any
    after: Any
    change: str


@dataclass(frozen=True, eq=False)
class Leak:
    """One output that depends on later bars.

    Attributes
    ----------
    output : str
        Its name; "" if it is not known which output uses a captured value. Of several instruments "KO.units".
    inputs : tuple of str
        Columns whose later values it uses ("close"; of several instruments "KO.close"); "index" for later times,
        "length" for how many bars follow; or what the function captured, such as "global FULL['close']".
    first_bar : int or None
        The earliest row at which it was seen; other rows may leak too. None where no run was needed to see it.
    first_at : Timestamp or None
        Its bar.
    horizon : int or None
        How many bars ahead it reaches, as far as was seen; it may be more. None: not known.
    whole_future : bool
        Whether it seems to depend on all later bars, as a statistic of the whole sample does.
    n_seen : int
        Number of runs that showed it.
    evidence : str
        What was seen, in a sentence.
    example : Example or None
        Two runs that show it.
    """

    output: str
    inputs: tuple[str, ...]
    first_bar: int | None
    first_at: Any
    horizon: int | None
    whole_future: bool
    n_seen: int
    evidence: str
    example: Example | None = None


@dataclass(frozen=True)
class Detection:
    """How likely a leak would have been missed.

    Attributes
    ----------
    n_tested : int
        Bars `k` at which the output that was tested least stayed as it was though the next bar was another.
    n_bars : int
        Bars there are.
    missed : mapping of float to float
        Share of bars that leak to the chance (1 - share)^k that none of them is among the k.
    """

    n_tested: int
    n_bars: int
    missed: Mapping[float, float]

    @classmethod
    def of(cls, n_tested: int, n_bars: int) -> Detection:
        """Return the chances for k bars tested.

        Examples
        --------
        >>> Detection.of(100, 5_000).missed[0.05] < 0.006
        True
        """
        return cls(n_tested, n_bars, {rate: (1.0 - rate) ** n_tested for rate in RATES})


@dataclass(frozen=True, eq=False)
class LookaheadReport:
    """What `check_lookahead` found.

    Attributes
    ----------
    verdict : str
        "proved clean" (text strategies only), "no leak found", "leak", "not deterministic", or "cannot tell".
    subject : str
        What was looked at.
    leaks : tuple of Leak
        One per output that leaks.
    warnings : tuple of str
        What a reader should know besides.
    warm_up : tuple of WarmUp
        How much history each output needs. This is no leak.
    proof : Proof or None
        For strategies that are text.
    detection : Detection or None
        For what was looked at by intervention: how likely a leak would have been missed.
    cost : mapping
        `runs` of the function and `seconds`.
    n_bars : int
        Number of bars.
    seed : int
        Everything random followed from it.
    """

    verdict: str
    subject: str
    leaks: tuple[Leak, ...]
    warnings: tuple[str, ...]
    warm_up: tuple[WarmUp, ...]
    proof: Proof | None
    detection: Detection | None
    cost: Mapping[str, float]
    n_bars: int
    seed: int

    @property
    def is_clean(self) -> bool:
        """Whether it is proved clean, or a search that could find leaks has found none."""
        return self.verdict in (PROVED, NONE_FOUND)

    def __bool__(self) -> bool:
        """Refuse: what a true report is would be anybody's guess.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("a report is neither true nor false; ask report.is_clean, or report.verdict")

    def summary(self) -> str:
        """Return the report as text."""
        lines = [f"Look-ahead check of {self.subject}: {self.verdict}", ""]
        for title, body in self._sections():
            lines += [title, *(f"  {line}" for line in body), ""]
        return "\n".join(lines).rstrip()

    def _sections(self) -> list[tuple[str, list[str]]]:
        sections = [
            ("Leaks", [line for leak in self.leaks[:_LISTED] for line in leak_lines(leak)]),
            ("Note", list(self.warnings)),
            ("Proof", _proof_lines(self.proof)),
            ("What was tested", self._tested()),
            ("Warm-up (no leak)", warm_up_lines(self.warm_up)),
            ("Cost", [f"{self.cost['runs']:,.0f} runs, {self.cost['seconds']:.2f} seconds"]),
        ]
        hidden = len(self.leaks) - _LISTED
        if hidden > 0:
            sections[0][1].append(f"... and {hidden} more outputs, in report.leaks")
        return [(title, body) for title, body in sections if body]

    def _tested(self) -> list[str]:
        if self.detection is None:
            return []
        k = self.detection.n_tested
        lines = [
            f"At {k:,} of {self.n_bars:,} bars the output stayed as it was though the next bar was another or missing.",
        ]
        if self.verdict == NONE_FOUND:
            lines += [
                f"A leak on {rate:.0%} of bars would have been missed with probability {chance:.2g}."
                for rate, chance in self.detection.missed.items()
            ]
            lines.append("This is no proof: a leak that no change of later bars brings to light is not found.")
        return lines

    def __repr__(self) -> str:
        leaks = f", {len(self.leaks)} leak(s)" if self.leaks else ""
        return f"<LookaheadReport of {self.subject}: {self.verdict}{leaks}>"

    def _repr_html_(self) -> str:
        parts = [f"<h4>Look-ahead check of {html.escape(self.subject)}: <b>{html.escape(self.verdict)}</b></h4>"]
        for title, body in self._sections():
            items = "".join(f"<li>{html.escape(line.strip())}</li>" for line in body)
            parts.append(f"<p><b>{html.escape(title)}</b></p><ul>{items}</ul>")
        return "".join(parts)


def leak_lines(leak: Leak) -> list[str]:
    """Return one leak in a few lines."""
    name = leak.output or "the function"
    reach = "all later bars" if leak.whole_future else f"at least {leak.horizon} bar(s) ahead" if leak.horizon else ""
    head = f"{name} uses later {', '.join(leak.inputs)}" + (f", {reach}" if reach else "")
    if leak.inputs == ("length",):
        head = f"{name} depends on how many bars follow" + (f", {reach}" if reach else "")
    elif leak.inputs and leak.inputs[0].rpartition(".")[2] not in ("open", "high", "low", "close", "volume", "index"):
        head = f"{name} sees later data through {', '.join(leak.inputs)}" + (f", {reach}" if reach else "")
    lines = [head, f"  {leak.evidence}"]
    if leak.example is not None and leak.n_seen > 1:
        lines.append(f"  seen in {leak.n_seen} runs, first at {moment_text(leak.first_at)} (row {leak.first_bar})")
    return lines


def warm_up_lines(warm_up: tuple[WarmUp, ...]) -> list[str]:
    """Return how much history the outputs need, those that need none left out."""
    lines = []
    for each in warm_up:
        if each.n_bars is None:
            lines.append(f"{each.output} never settles: it depends on all bars since the first, or on the row's number")
        elif each.n_bars:
            lines.append(f"{each.output} needs {each.n_bars:,} bars of history (to {each.tolerance:g} of its size)")
    hidden = len(lines) - _LISTED
    return [*lines[:_LISTED], f"... and {hidden} more, in report.warm_up"] if hidden > 0 else lines


def _proof_lines(proof: Proof | None) -> list[str]:
    if proof is None:
        return []
    rests = [f"rests on {each}" for each in proof.rests_on]
    return [*proof.steps, *rests, *(f"not proved: {each}" for each in proof.open)]
