"""Providers without a network, on real files and in real databases; identity of instruments; falling back; names."""

from __future__ import annotations

import os
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data import read_csv, sample, synthetic, write_csv, write_parquet
from algotrendy.data.providers import Capabilities, FallbackProvider, Fetched, IdentifyingProvider, Provider, get, names
from algotrendy.data.series import BarsRequest, Span
from algotrendy.domain.bars import check_bars
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.domain.tickers import TickerMap
from algotrendy.errors import (
    AccessRefused,
    AlgotrendyError,
    BadAnswer,
    ConfigError,
    DataError,
    InputError,
    MissingExtraError,
    RateLimited,
    VenueError,
    VenueUnavailable,
)

POSTGRES = os.environ.get("ALGOTRENDY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


def _ask(provider: Provider, symbol: str, start: str, end: str, interval: str = "1d", **more: Any) -> Fetched:
    return wait_for(provider.bars(BarsRequest(symbol=symbol, interval=interval, span=Span.of(start, end), **more)))


@pytest.fixture
def prices() -> pd.DataFrame:
    return synthetic(60, seed=3, start="2024-01-02").drop(columns="is_synthetic")


# --- files ---


def test_files_of_a_folder_are_found_by_their_symbol(prices: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(prices, tmp_path / "AAPL.csv.gz")
    write_parquet(prices * 2, tmp_path / "btc-usdt.parquet")
    write_csv(prices * 3, tmp_path / "BRK.B.csv")
    provider = get("files", path=tmp_path)
    fetched = _ask(provider, "AAPL", "2024-01-10", "2024-02-01")
    assert fetched.bars["close"].tolist() == prices.loc["2024-01-10":"2024-01-31", "close"].tolist()
    assert (fetched.instrument.id, fetched.source) == ("stock:FILES:AAPL", "files")
    assert fetched.covered == Span.of("2024-01-10", "2024-02-01")
    crypto = _ask(provider, "BTC/USDT", "2024-01-10", "2024-02-01", asset_class="crypto")
    assert crypto.bars["close"].tolist() == (prices * 2).loc["2024-01-10":"2024-01-31", "close"].tolist()
    assert len(_ask(provider, "BRK/B", "2024-01-10", "2024-02-01").bars) == len(fetched.bars)
    check_bars(fetched.bars)


def test_a_file_covers_what_it_holds_and_no_more(prices: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(prices, tmp_path / "AAPL.csv")
    fetched = _ask(get("files", path=tmp_path), "AAPL", "2020-01-01", "2030-01-01")
    assert len(fetched.bars) == 60
    assert fetched.covered == Span.of(prices.index[0], prices.index[-1] + pd.Timedelta(days=1))


def test_what_a_folder_does_not_hold_is_told(prices: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(prices, tmp_path / "AAPL.csv")
    provider = get("files", path=tmp_path)
    for symbol in ("MSFT", "..%2FAAPL", "../AAPL"):
        with pytest.raises(DataError, match=r"there is no file for .* there are: AAPL"):
            _ask(provider, symbol, "2024-01-10", "2024-02-01")
    with pytest.raises(DataError, match="none from 2031"):
        _ask(provider, "AAPL", "2031-01-10", "2031-02-01")
    with pytest.raises(InputError, match="holds bars of 1d for AAPL, asked for are bars of 1h"):
        _ask(provider, "AAPL", "2024-01-10", "2024-02-01", "1h")
    with pytest.raises(InputError, match="files has no prices adjusted='all'"):
        _ask(provider, "AAPL", "2024-01-10", "2024-02-01", adjusted="all")
    write_parquet(prices, tmp_path / "aapl.parquet")
    with pytest.raises(InputError, match="leave one"):
        _ask(provider, "AAPL", "2024-01-10", "2024-02-01")
    with pytest.raises(DataError, match="no file or folder"):
        _ask(get("files", path=tmp_path / "none"), "AAPL", "2024-01-10", "2024-02-01")


@pytest.mark.shared
def test_one_long_file_serves_all_its_symbols(shared: Path) -> None:
    provider = get("files", path=shared / "data" / "us_equity_daily_raw.csv.gz")
    fetched = _ask(provider, "AAPL", "2014-06-02", "2014-06-14")
    assert fetched.bars.loc["2014-06-06", "close"] > 640
    assert fetched.bars.loc["2014-06-09", "close"] < 95
    with pytest.raises(DataError, match="holds no 'MSFT'"):
        _ask(provider, "MSFT", "2014-06-02", "2014-06-14")


# --- identity ---


@pytest.fixture
def identified(shared: Path) -> Callable[..., IdentifyingProvider]:
    tickers = TickerMap.of(pd.read_csv(shared / "data" / "us_equity_ticker_map.csv.gz"))
    inner = get("files", path=shared / "data" / "us_equity_daily_raw.csv.gz")
    return lambda **how: IdentifyingProvider(inner, tickers, **how)


@pytest.mark.shared
def test_another_companys_rows_under_the_same_ticker_are_never_served(identified: Any, shared: Path) -> None:
    everything = read_csv(shared / "data" / "us_equity_daily_raw.csv.gz", symbol="FB")
    assert str(everything.index[0].date()) == "1999-09-29"  # another company's
    with pytest.raises(InputError, match="stock:XNAS:FB from 2012-05-18 to 2021-03-31"):
        _ask(identified(), "FB", "1999-09-29", "2021-04-01")
    fetched = _ask(identified(on_change="cut"), "FB", "1999-09-29", "2021-04-01")
    assert str(fetched.bars.index[0].date()) == "2012-05-18"
    assert fetched.covered == Span.of("2012-05-18", "2021-04-01")
    assert fetched.notes[0] == "FB is cut to 2012-05-18 to 2021-03-31, where it is stock:XNAS:FB."
    assert fetched.bars["close"].pct_change().abs().max() < 0.35
    with pytest.raises(DataError, match="nothing known here had the ticker FB"):
        _ask(identified(), "FB", "2000-01-03", "2003-01-03")


@pytest.mark.shared
def test_an_instrument_comes_whole_under_the_tickers_of_its_time(identified: Any, shared: Path) -> None:
    fetched = _ask(identified(), "stock:XNYS:WM", "2005-01-03", "2015-01-03")
    path = shared / "data" / "us_equity_daily_raw.csv.gz"
    before, after = read_csv(path, symbol="WMI"), read_csv(path, symbol="WM")
    expected = pd.concat([before.loc["2005-01-03":"2009-08-04"], after.loc["2009-08-05":"2015-01-02"]])
    assert fetched.bars["close"].tolist() == expected["close"].tolist()
    assert fetched.instrument.id == "stock:XNYS:WM"
    assert fetched.bars["close"].pct_change().abs().max() < 0.25  # the plain ticker jumps by a factor of 178
    assert "WMI from 2005-01-03 to 2009-08-04; WM from 2009-08-05 to 2015-01-02" in fetched.notes[0]
    with pytest.raises(InputError, match="did not always mean the same"):
        _ask(identified(), "WM", "2005-01-03", "2015-01-03")
    assert len(_ask(identified(), "WM", "2010-01-04", "2015-01-03").bars) == len(after.loc["2010-01-04":"2015-01-02"])


@pytest.mark.shared
def test_a_vendor_that_files_history_under_the_newest_ticker_is_asked_for_that(shared: Path) -> None:
    tickers = TickerMap.of(pd.read_csv(shared / "data" / "us_equity_ticker_map.csv.gz"))
    asked: list[BarsRequest] = []

    class Newest(_Fixed):
        async def bars(self, request: BarsRequest) -> Fetched:
            asked.append(request)
            return await super().bars(request)

    fetched = _ask(IdentifyingProvider(Newest("newest"), tickers), "stock:XNYS:WM", "2005-01-03", "2015-01-03")
    assert [(one.symbol, one.span) for one in asked] == [("WM", Span.of("2005-01-03", "2015-01-03"))]
    assert fetched.instrument.id == "stock:XNYS:WM"


# --- SQL ---


@pytest.fixture
def sqlite(prices: pd.DataFrame, tmp_path: Path) -> str:
    import sqlalchemy as sa

    url = f"sqlite:///{tmp_path / 'prices.db'}"
    engine = sa.create_engine(url)
    prices.assign(symbol="AAPL").reset_index().to_sql("daily", engine, index=False)
    hours = synthetic(50, interval="1h", seed=1, start="2024-01-02").drop(columns="is_synthetic")
    hours = hours.assign(ticker="BTC/USDT").reset_index()
    hours["time"] = hours["time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    hours.rename(columns={"time": "at"}).to_sql("hourly", engine, index=False)
    engine.dispose()
    return url


def test_a_table_of_sqlite_is_read(sqlite: str, prices: pd.DataFrame) -> None:
    fetched = _ask(get("sql", url=sqlite, table="daily"), "AAPL", "2024-01-10", "2024-02-01")
    expected = prices.loc["2024-01-10":"2024-01-31"]
    pd.testing.assert_frame_equal(fetched.bars, expected, check_freq=False, check_index_type=False)
    assert fetched.instrument.id == "stock:SQL:AAPL"
    provider = get("sql", url=sqlite, table="hourly", time="at", symbol="ticker")
    hours = _ask(provider, "BTC-USDT", "2024-01-03", "2024-01-05", "1h", asset_class="crypto")
    assert str(hours.bars.index.tz) == "UTC"
    assert hours.bars.index[0] >= pd.Timestamp("2024-01-03", tz="UTC")


def test_a_query_is_given_symbol_start_and_end(sqlite: str, prices: pd.DataFrame) -> None:
    query = "select time, open, high, low, close as last, volume from daily where symbol = :symbol and time >= :start"
    provider = get("sql", url=sqlite, query=query, columns={"close": "last"})
    fetched = _ask(provider, "AAPL", "2024-01-10", "2024-02-01")
    assert fetched.bars["close"].tolist() == prices.loc["2024-01-10":"2024-01-31", "close"].tolist()


def test_what_is_wrong_with_a_database_is_told(sqlite: str, tmp_path: Path) -> None:
    def asked(**settings: Any) -> Fetched:
        return _ask(get("sql", **settings), "AAPL", "2024-01-10", "2024-02-01")

    with pytest.raises(ConfigError, match="set one of table"):
        asked(url=sqlite)
    with pytest.raises(ConfigError, match="has no table 'weekly'"):
        asked(url=sqlite, table="weekly")
    with pytest.raises(ConfigError, match="has no column 'ticker', but time, open"):
        asked(url=sqlite, table="daily", symbol="ticker")
    with pytest.raises(DataError, match="refuses the query: no such column: shut"):
        asked(url=sqlite, query="select shut from daily")
    with pytest.raises(VenueUnavailable, match="cannot be reached: unable to open"):
        asked(url="sqlite:////no/such/folder/prices.db", table="daily")
    with pytest.raises(DataError, match="has no rows of 'MSFT'"):
        _ask(get("sql", url=sqlite, table="daily"), "MSFT", "2024-01-10", "2024-02-01")
    with pytest.raises(ConfigError, match="cannot be read"):
        asked(url="nonsense", table="daily")
    with pytest.raises(VenueUnavailable, match="cannot be reached") as told:
        asked(url="postgresql://me:s3cret@127.0.0.1:9/test", table="daily")
    assert "s3cret" not in str(told.value)
    with pytest.raises(DataError, match="has no rows"):  # the symbol is a value, never a part of the statement
        _ask(get("sql", url=sqlite, table="daily"), "x';drop_table_daily;--", "2024-01-10", "2024-02-01")


def _postgres_runs() -> bool:
    import asyncpg

    async def tried() -> bool:
        try:
            connection = await asyncpg.connect(POSTGRES, timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    return wait_for(tried())


@pytest.fixture
def postgres(prices: pd.DataFrame) -> Iterator[str]:
    if not _postgres_runs():
        pytest.skip("postgres: nothing answers at its address")
    import asyncpg

    schema = f"providers_{uuid.uuid4().hex[:12]}"

    async def run(*statements: str) -> None:
        connection = await asyncpg.connect(POSTGRES)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    rows = ", ".join(
        f"('AAPL', '{day.date()}', {o!r}, {h!r}, {low!r}, {c!r}, {v!r})"
        for day, o, h, low, c, v in prices.astype(object).itertuples(name=None)
    )
    wait_for(
        run(
            f"create schema {schema}",
            f"create table {schema}.daily (symbol text, time date, open float8, high float8, low float8, close float8,"
            " volume float8)",
            f"insert into {schema}.daily values {rows}",
            f"create table {schema}.timed as select symbol, (time + time '14:30') at time zone 'UTC' as time, open,"
            f" high, low, close, volume from {schema}.daily",
        )
    )
    yield schema
    wait_for(run(f"drop schema {schema} cascade"))


def test_a_table_of_postgresql_is_read(postgres: str, prices: pd.DataFrame) -> None:
    fetched = _ask(get("sql", url=POSTGRES, table=f"{postgres}.daily"), "AAPL", "2024-01-10", "2024-02-01")
    assert fetched.bars["close"].tolist() == prices.loc["2024-01-10":"2024-01-31", "close"].tolist()
    query = f"select * from {postgres}.timed where symbol = :symbol and time < :end"
    with pytest.raises(InputError, match="holds bars of 1d for AAPL, asked for are bars of 1h"):
        _ask(get("sql", url=POSTGRES, query=query), "AAPL", "2024-01-10", "2024-02-01", "1h")
    with pytest.raises(DataError, match="refuses the query"):
        _ask(
            get("sql", url=POSTGRES, query=f"select nothing from {postgres}.timed"), "AAPL", "2024-01-10", "2024-02-01"
        )


# --- what is made here ---


def test_the_samples_are_served() -> None:
    fetched = _ask(get("sample"), "S&P 500", "2010-01-01", "2011-01-01")
    assert fetched.bars["close"].tolist() == sample("SP500").loc["2010", "close"].tolist()
    assert fetched.instrument.id == "index:SAMPLE:SP500"
    with pytest.raises(DataError, match="did you mean 'NASDAQ'"):
        _ask(get("sample"), "NASDQ", "2010-01-01", "2011-01-01")
    with pytest.raises(InputError, match="sample has no bars of 1h, but of 1d"):
        _ask(get("sample"), "NASDAQ", "2010-01-01", "2011-01-01", "1h")
    with pytest.raises(InputError, match="takes no settings"):
        get("sample", path="x")


def test_a_synthetic_bar_does_not_depend_on_what_is_asked() -> None:
    provider = get("synthetic", volatility=0.3)
    whole = _ask(provider, "garch-7", "2000-01-01", "2010-01-01").bars
    part = _ask(provider, "garch-7", "2005-03-01", "2005-06-01").bars
    pd.testing.assert_frame_equal(part, whole.loc["2005-03-01":"2005-05-31"], check_freq=False)
    assert part["is_synthetic"].all()
    other = _ask(provider, "garch-8", "2005-03-01", "2005-06-01")
    assert not np.allclose(other.bars["close"], part["close"])
    assert other.instrument.id == "stock:SYNTHETIC:garch-8"
    hours = _ask(get("synthetic", calendar="24/7", start="2024-01-01"), "random_walk", "2024-01-02", "2024-01-03", "1h")
    assert len(hours.bars) == 24
    with pytest.raises(DataError, match="did you mean 'garch'"):
        _ask(provider, "garsh", "2005-03-01", "2005-06-01")


# --- falling back ---


class _Fixed:
    """Serves synthetic bars, or fails as it is told."""

    capabilities = Capabilities(intervals=frozenset({"1d"}), asset_classes=frozenset({AssetClass.STOCK}))

    def __init__(self, name: str, error: AlgotrendyError | None = None) -> None:
        self.name, self._error, self.closed = name, error, False

    async def bars(self, request: BarsRequest) -> Fetched:
        if self._error is not None:
            raise self._error
        bars = synthetic(5, start=str(request.span.start.date()))
        instrument = Instrument.of(f"stock:XNAS:{request.symbol}")
        return Fetched(bars=bars, instrument=instrument, source=self.name, covered=request.span)

    async def close(self) -> None:
        self.closed = True


FAILURES = [
    VenueUnavailable("first", "is down"),
    RateLimited("first", "slow down", 3.0),
    AccessRefused("first", "bad key"),
    BadAnswer("first", "a web page"),
    DataError("first knows no 'A'"),
    ConfigError("first needs a key"),
    MissingExtraError("yfinance", "yahoo"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_the_next_provider_serves_and_it_is_told_why(error: AlgotrendyError) -> None:
    source = FallbackProvider([_Fixed("first", error), _Fixed("second"), _Fixed("third")])
    with pytest.warns(UserWarning, match=r"A comes from second: first did not serve \(") as told:
        fetched = _ask(source, "A", "2024-01-02", "2024-02-01")
    assert fetched.source == "second"
    assert str(told[0].message) == fetched.notes[-1]


def test_the_first_provider_serves_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetched = _ask(FallbackProvider([_Fixed("first"), _Fixed("second")]), "A", "2024-01-02", "2024-02-01")
    assert (fetched.source, fetched.notes) == ("first", ())


def test_a_wrong_call_is_not_passed_on() -> None:
    source = FallbackProvider([_Fixed("first", InputError("the argument is wrong")), _Fixed("second")])
    with pytest.raises(InputError, match="the argument is wrong"):
        _ask(source, "A", "2024-01-02", "2024-02-01")


def test_a_provider_that_cannot_serve_such_a_request_is_passed_over() -> None:
    source = FallbackProvider([_Fixed("daily"), get("synthetic")])
    with pytest.warns(UserWarning, match="daily did not serve .has no bars of 1h, but of 1d"):
        fetched = _ask(source, "garch", "2024-01-02", "2024-01-05", "1h")
    assert fetched.source == "synthetic"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([DataError("unknown"), DataError("unknown")], DataError),
        ([DataError("unknown"), VenueUnavailable("second", "down")], VenueUnavailable),
        ([AccessRefused("first", "key"), DataError("unknown")], VenueError),
        ([ConfigError("key"), ConfigError("key")], ConfigError),
    ],
)
def test_where_nobody_serves_the_error_says_what_can_be_done(
    errors: list[AlgotrendyError], expected: type[AlgotrendyError]
) -> None:
    source = FallbackProvider([_Fixed(f"number{n}", error) for n, error in enumerate(errors)])
    with pytest.raises(expected, match="no provider has bars of A: number0 did not serve") as told:
        _ask(source, "A", "2024-01-02", "2024-02-01")
    assert type(told.value) is expected
    with pytest.raises(InputError, match="no provider has bars of A"):
        _ask(FallbackProvider([_Fixed("first")]), "A", "2024-01-02", "2024-02-01", "1h")
    with pytest.raises(InputError, match="at least one"):
        FallbackProvider([])


def test_all_are_closed() -> None:
    parts = [_Fixed("first"), _Fixed("second")]
    wait_for(FallbackProvider(parts).close())
    assert all(part.closed for part in parts)


# --- names ---


def test_names_that_are_nearly_right_are_corrected() -> None:
    with pytest.raises(InputError, match="did you mean polygon"):
        get("poligon")
    with pytest.raises(InputError, match="the setting base_url is not allowed"):
        get("yahoo", base_url="query2.finance.yahoo.com")
    with pytest.raises(InputError, match="did you mean 'api_key'"):
        get("polygon", apikey="k")
    with pytest.raises(InputError, match=r"the setting page_size is not allowed: .*less than or equal to 50000"):
        get("polygon", api_key="k", page_size=60_000)
    assert get("massive", api_key="k").name == "polygon"
    assert get("kraken").name == "kraken"
    with pytest.raises(InputError, match="did you mean binance"):
        get("ccxt", exchange="binanc")


def test_a_value_of_the_environment_that_is_not_allowed_is_a_wrong_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOTRENDY_YAHOO_TIMEOUT_SECONDS", "s3cret")
    with pytest.raises(ConfigError, match="the setting timeout_seconds is not allowed") as told:
        get("yahoo")
    assert "s3cret" not in str(told.value)


def test_keys_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    from algotrendy.data.providers.polygon import PolygonSettings

    monkeypatch.setenv("ALGOTRENDY_POLYGON_API_KEY", "s3cret")
    settings = PolygonSettings()
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.key("api_key", "polygon") == "s3cret"
    with pytest.raises(InputError, match="either recorded or played"):
        get("polygon", record="a", replay="b")


def test_other_packages_register_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_prices.py").write_text(
        "class Theirs:\n    name = 'theirs'\n    capabilities = None\n    def __init__(self, level=1):\n"
        "        self.level = level\n"
        "    async def bars(self, request): ...\n    async def close(self): ...\n",
        encoding="utf-8",
    )
    _register(tmp_path, "one", "theirs = their_prices:Theirs\nbroken = no_such_module:Provider\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "theirs" in names()
    assert get("theirs", level=3).level == 3
    with pytest.raises(ConfigError, match="'broken' cannot be loaded from no_such_module"):
        get("broken")
    _register(tmp_path, "two", "yahoo = their_prices:Theirs\n")
    with pytest.raises(ConfigError, match="'yahoo' of their_prices:Theirs takes a name that is taken"):
        get("yahoo")
    sys.modules.pop("their_prices", None)


def _register(folder: Path, package: str, points: str) -> None:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[algotrendy.providers]\n{points}", encoding="utf-8")
