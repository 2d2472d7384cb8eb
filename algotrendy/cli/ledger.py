"""`algotrendy ledger [show | forget]`: how many things were tried on the same data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from algotrendy.cli import show
from algotrendy.errors import InputError

if TYPE_CHECKING:
    from algotrendy.backtest.trials import TrialRecord
    from algotrendy.storage import SqlTrialLedger

ledger_app = typer.Typer(
    help="How many things were tried on the same data, and forget them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Url = Annotated[
    str | None,
    typer.Option(help="The database of the ledger: sqlite:///... or postgresql://...; the session's unless set."),
]

SHOWN = 12
"""Characters of a hash that are printed; as many, or fewer if they are enough, name the data in `forget`."""


@ledger_app.callback()
def ledger(
    context: typer.Context,
    *,
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything that is known, as JSON.")] = False,
) -> None:
    """Print what was tried, a row for the bars of each hash; Sharpe ratios are per period."""
    context.obj = url
    if context.invoked_subcommand is not None:
        return
    with _opened(url) as kept:
        rows = [_row(kept, data_hash, records[-1]) for data_hash, records in _by_data(kept).items()]
    if as_json:
        show.console.print(json.dumps(rows, indent=2), markup=False)
    elif rows:
        show.console.print(_table(rows))
    else:
        show.console.print("Nothing was tried yet.", markup=False)


def show_runs(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="The hash of the bars, or how it begins.")],
) -> None:
    """Print every run on some bars, the oldest first: how many trials it was, and how many independent ones."""
    with _opened(context.obj) as kept:
        records = kept.records(_whole(data, sorted(_by_data(kept))))
    show.console.print(_table_of_runs(records))


def forget(
    context: typer.Context,
    data: Annotated[str | None, typer.Argument(help="The hash of the bars, or how it begins.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Forget what was tried on any bars.")] = False,
) -> None:
    """Forget what was tried on some bars: reports will count from zero again, and be the less honest for it."""
    if (data is None) == (not everything):
        raise InputError("say what to forget: the hash of the bars as `algotrendy ledger` prints it, or --all")
    with _opened(context.obj) as kept:
        count = kept.forget(None if data is None else _whole(data, sorted(_by_data(kept))))
    show.console.print(f"{count:,} record{'' if count == 1 else 's'} forgotten", markup=False)


ledger_app.command("show")(show_runs)
ledger_app.command("forget")(forget)


@contextmanager
def _opened(url: str | None) -> Iterator[SqlTrialLedger]:
    from algotrendy.config import Settings
    from algotrendy.home import ledger_address
    from algotrendy.storage import SqlTrialLedger

    kept = SqlTrialLedger(ledger_address(Settings().ledger or True) if url is None else url)
    try:
        yield kept
    finally:
        kept.close()


def _by_data(kept: SqlTrialLedger) -> dict[str, list[TrialRecord]]:
    groups: dict[str, list[TrialRecord]] = {}
    for record in kept.records():
        groups.setdefault(record.data_hash, []).append(record)
    return groups


def _row(kept: SqlTrialLedger, data_hash: str, last: TrialRecord) -> dict[str, Any]:
    """Return what is known of one set of bars, in what JSON can say: a number that is not known is null."""
    from dataclasses import asdict

    total = asdict(kept.total(data_hash))
    known = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in total.items()}
    return {**known, "last_at": last.at.isoformat(), "last_kind": last.kind, "last_label": last.label}


def _table(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    table.add_column("data")
    for name in ("runs", "trials", "effective", "best Sharpe"):
        table.add_column(name, justify="right")
    table.add_column("last")
    for row in rows:
        best = "–" if row["best_sharpe"] is None else f"{row['best_sharpe']:.4f}"
        numbers = [f"{row['n_records']:,}", f"{row['n_trials']:,}", f"{row['effective_trials']:,.1f}", best]
        last = f"{row['last_at'][:10]} {row['last_kind']} {row['last_label']}".rstrip()
        table.add_row(row["data_hash"][:SHOWN], *numbers, Text(last))
    return table


def _table_of_runs(records: list[TrialRecord]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    table.add_column("at")
    table.add_column("kind")
    for name in ("trials", "effective", "best Sharpe"):
        table.add_column(name, justify="right")
    table.add_column("what")
    for each in records:
        best = "–" if math.isnan(each.best_sharpe) else f"{each.best_sharpe:.4f}"
        numbers = (f"{each.n_trials:,}", f"{each.effective_trials:,.1f}", best)
        table.add_row(f"{each.at:%Y-%m-%d %H:%M}", each.kind, *numbers, Text(each.label))
    return table


def _whole(start: str, known: list[str]) -> str:
    found = [data_hash for data_hash in known if data_hash.startswith(start)]
    if len(found) != 1:
        what = "no bars that were tried have" if not found else f"{len(found)} sets of bars have"
        raise InputError(f"{what} a hash that begins with {start!r}; `algotrendy ledger` prints them")
    return found[0]
