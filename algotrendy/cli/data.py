"""`algotrendy data get | quality | repair | stream | import | export`: bars in and out, and what is wrong with them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from algotrendy.cli import inputs, options, show
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

data_app = typer.Typer(
    help="Load, check, repair, stream, import and export bars.", no_args_is_help=True, rich_markup_mode=None
)

Symbols = Annotated[list[str], typer.Argument(help="Symbols: AAPL, BTC/USDT, stock:XNAS:AAPL, ...")]
Symbol = Annotated[str | None, typer.Argument(help="A symbol; or give --data FILE or --sample NAME.")]
Source = Annotated[
    str | None, typer.Option(help="A provider, yahoo unless set; yahoo+polygon asks the second where the first cannot.")
]
Start = Annotated[str | None, typer.Option(help="The first date, UTC.")]
End = Annotated[str | None, typer.Option(help="The first date that is not wanted any more.")]
Period = Annotated[str | None, typer.Option(help="How far back instead of a start: 5d 6mo 1y ytd max.")]
Length = Annotated[str, typer.Option("--interval", help="Length of a bar: 1m 1h 1d 1wk 1mo.")]
AdjustedFor = Annotated[str | None, typer.Option("--adjusted", help="raw, splits or all.")]
Kind = Annotated[str, typer.Option("--asset-class", help="stock etf crypto futures forex option index.")]
Out = Annotated[Path | None, typer.Option(help="Write to this .csv or .parquet file.")]

SHOWN = 8
"""Rows of bars that are printed."""


def get(
    symbols: Symbols,
    *,
    source: Source = None,
    start: Start = None,
    end: End = None,
    period: Period = None,
    interval: Length = "1d",
    adjusted: AdjustedFor = None,
    asset_class: Kind = "stock",
    chart: Annotated[str, typer.Option(help="A chart style: renko, heikin_ashi, ...")] = "time",
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter of the chart: --set size=1.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch everything anew.")] = False,
    out: Out = None,
) -> None:
    """Load bars of symbols; only what is not stored yet is fetched."""
    import algotrendy as at

    words: dict[str, Any] = {
        "source": source, "start": start, "end": end, "period": period, "interval": interval,
        "adjusted": adjusted, "asset_class": asset_class, "refresh": refresh,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what was not loaded is printed below
        found = at.load(symbols, **words)
    for symbol, bars in found.items():
        rows = _charted(bars, chart, set_)
        show.console.print(f"{symbol}: {len(rows):,} rows", markup=False)
        show.console.print(rows.tail(SHOWN).to_string(), markup=False)
        if out is not None:
            _write(rows, out if len(found) == 1 else out.with_stem(f"{out.stem}-{symbol.replace('/', '-')}"))
    for symbol, why in found.failures.items():
        show.console.print(f"{symbol}: {why}", markup=False)
    if found.failures:
        raise typer.Exit(1)


def quality(
    symbol: Symbol = None,
    *,
    data: options.Data = None,
    sample: options.Sample = None,
    read: options.Reading = None,
    source: Source = None,
    period: Period = None,
    interval: Length = "1d",
    calendar: Annotated[str | None, typer.Option(help="XNYS, 24/7, sessions, ...")] = None,
    asset_class: Kind = "stock",
    html: Annotated[Path | None, typer.Option(help="Write a picture of the findings to this file.")] = None,
) -> None:
    """Say what is suspicious about bars, with dates and evidence; the exit code is 1 if something is."""
    from algotrendy.data.quality import check_quality

    bars = _bars(symbol, data, sample, read, source=source, period=period, interval=interval, asset_class=asset_class)
    report = check_quality(bars, calendar=calendar)
    show.console.print(report.summary(), markup=False)
    if html is not None:
        report.plot().write_html(html, include_plotlyjs=True)
        show.console.print(f"Picture: {html}", markup=False)
    if len(report.issues):
        raise typer.Exit(1)


def repair(
    *,
    data: Annotated[Path, typer.Option(help="A .csv or .parquet file of bars.")],
    out: Annotated[Path, typer.Option(help="Where the repaired bars go: .csv or .parquet.")],
    read: options.Reading = None,
    kind: Annotated[list[str] | None, typer.Option(help="Repair only this kind of finding. Repeat it.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write every change to this .csv file.")] = None,
) -> None:
    """Repair what can be repaired, and list every change."""
    from algotrendy.data.quality import check_quality
    from algotrendy.data.quality import repair as repaired_by

    if out.resolve() == data.resolve():
        raise InputError("--out is the file that is read; repaired bars go to another one")
    bars = inputs.load_bars(data, None, read)
    repaired = repaired_by(bars, check_quality(bars), kinds=kind or None)
    _write(repaired.bars, out)
    show.console.print(f"{len(repaired.changes):,} cells changed", markup=False)
    show.console.print(repaired.changes.head(3 * SHOWN).to_string(), markup=False)
    if record is not None:
        repaired.changes.to_csv(record, index=False)


def stream(
    *,
    trades: Annotated[
        Path | None, typer.Option(help="Recorded trades: .parquet or .csv with time, price, size.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to listen.")] = 10.0,
    speed: Annotated[float, typer.Option(help="1 is real time, 60 a minute in a second.")] = 1.0,
    bars: Annotated[str, typer.Option(help="The length of the bars that are built: 1s 1m ...")] = "1m",
) -> None:
    """Replay trades, recorded or a sample, as a live stream; print bars as they complete, and how fresh ticks were."""
    from algotrendy.cli.streaming import replayed
    from algotrendy.compute import wait_for

    show.console.print(wait_for(replayed(trades, seconds, speed, bars, show.console.print)), markup=False)


def import_(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file of bars.")],
    instrument: Annotated[str, typer.Option(help="Whose bars they are: class:venue:symbol, such as stock:XNAS:AAPL.")],
    *,
    read: options.Reading = None,
    source: Annotated[str, typer.Option(help="The name under which they are kept.")] = "import",
    interval: Annotated[str | None, typer.Option(help="Length of a bar; read off the times by default.")] = None,
    adjusted: AdjustedFor = "raw",
) -> None:
    """Put the bars of a file into the store."""
    from algotrendy.cli.stored import put

    show.console.print(put(inputs.load_bars(file, None, read), instrument, source, interval, adjusted), markup=False)


def export(
    instrument: Annotated[str, typer.Argument(help="class:venue:symbol, or a symbol if only one is stored.")],
    out: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    *,
    interval: Length = "1d",
) -> None:
    """Write stored bars to a file."""
    from algotrendy.cli.stored import found

    key, bars = found(instrument, interval)
    _write(bars, out)
    show.console.print(f"{len(bars):,} bars of {key.instrument} from {key.source}: {out}", markup=False)


for _name, _command in (
    ("get", get), ("quality", quality), ("repair", repair), ("stream", stream), ("import", import_), ("export", export),
):  # fmt: skip
    data_app.command(_name)(_command)


def _bars(
    symbol: str | None, data: Path | None, sample: str | None, read: list[str] | None, **words: Any
) -> pd.DataFrame:
    if symbol is None:
        return inputs.load_bars(data, sample, read)
    if data is not None or sample is not None:
        raise InputError(f"say where the bars come from: either {symbol}, or --data FILE, or --sample NAME")
    import algotrendy as at

    bars: pd.DataFrame = at.load(symbol, **words)
    return bars


def _charted(bars: pd.DataFrame, style: str, settings: list[str] | None) -> pd.DataFrame:
    if style == "time" and not settings:
        return bars
    from algotrendy.charts import chart

    parameters: dict[str, Any] = inputs.parse_parameters(settings)
    return chart(bars, style, **parameters)


def _write(bars: pd.DataFrame, out: Path) -> None:
    if out.suffix.lower() in (".parquet", ".pq"):
        bars.to_parquet(out)
    elif out.suffix.lower() == ".csv":
        bars.to_csv(out)
    else:
        raise InputError(f"{out.name} is neither .csv nor .parquet; name the file so")
