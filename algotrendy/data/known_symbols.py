"""Which instrument a provider's symbol has meant, remembered from its answers, so that a store can be asked first.

A symbol can mean another instrument at another time. So an answer is remembered with the span that was asked for, and
memory answers only where a request overlaps what is known of one instrument and of no other. Whoever asks a provider
for the rest compares whose bars come back.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any, NamedTuple

from algotrendy.data.series import BarsRequest, Span, merged

__all__ = ["KnownSymbols", "Meant"]


class Meant(NamedTuple):
    """Whose bars came back: of a list of providers the one that served, and the id of the instrument."""

    source: str
    instrument: str


class KnownSymbols:
    """Remembers instruments by source, asset class and symbol, in a file if one is given.

    Several processes may share the file: each change is written whole, on top of what others have written before. Of
    two changes at the same moment one may be lost, and a file that cannot be read counts as empty; what is not
    remembered is asked again.

    Parameters
    ----------
    path : Path, optional
        A JSON file; None: in memory only.

    Examples
    --------
    >>> known, year = KnownSymbols(), Span.of("2023-01-01", "2024-01-01")
    >>> asked = BarsRequest(symbol="AAPL", interval="1d", span=year)
    >>> known.remember("yahoo", asked, Meant("yahoo", "stock:XNAS:AAPL"))
    >>> known.find("yahoo", BarsRequest(symbol="AAPL", interval="1d", span=Span.of("2023-03-01", "2023-04-01")))
    Meant(source='yahoo', instrument='stock:XNAS:AAPL')
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._spans: dict[str, dict[Meant, tuple[Span, ...]]] = {}
        self._read_at = -1

    def find(self, source: str, request: BarsRequest) -> Meant | None:
        """Return the one series that the symbol is known to have meant in the requested span, if any."""
        with self._lock:
            self._read()
            known = self._spans.get(_name(source, request), {})
        asked = request.span
        overlapping = [meant for meant, spans in known.items() if asked.missing_in(spans) != [asked]]
        return overlapping[0] if len(overlapping) == 1 else None

    def remember(self, source: str, request: BarsRequest, meant: Meant) -> None:
        """Note whose bars a provider has given for the requested span; of an instrument's sources the newest counts."""
        with self._lock:
            self._read()
            before = self._spans.get(_name(source, request), {})
            others = {each: spans for each, spans in before.items() if each.instrument != meant.instrument}
            known = {**others, meant: merged([*before.get(meant, ()), request.span])}
            if known != before:
                self._spans[_name(source, request)] = known
                self._write()

    def _read(self) -> None:
        """Take in what stands in the file, if it has changed since it was read last."""
        if self._path is None:
            return
        try:
            changed_at = self._path.stat().st_mtime_ns
            if changed_at == self._read_at:
                return
            found: Any = json.loads(self._path.read_text(encoding="utf-8"))
            spans = {
                name: {
                    Meant(*text.split("|")): tuple(Span.of(*ends) for ends in spans) for text, spans in known.items()
                }
                for name, known in found.items()
            }
        except (OSError, ValueError, AttributeError, TypeError):
            return
        self._spans, self._read_at = spans, changed_at

    def _write(self) -> None:
        if self._path is None:
            return
        plain = {
            name: {"|".join(meant): [_plain(span) for span in spans] for meant, spans in known.items()}
            for name, known in self._spans.items()
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._path.with_name(f"{self._path.name}.{os.getpid()}.{threading.get_ident()}.new")
        whole.write_text(json.dumps(plain, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(whole, self._path)
        self._read_at = self._path.stat().st_mtime_ns


def _plain(span: Span) -> list[str]:
    return [span.start.isoformat(), span.end.isoformat()]


def _name(source: str, request: BarsRequest) -> str:
    return f"{source}/{request.asset_class}/{request.symbol}"
