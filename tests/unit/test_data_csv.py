"""CSV: what is usual is understood, what could mean two things is asked about, and nothing is read wrong in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import provenance, read_csv, sample, synthetic, write_csv
from algotrendy.errors import DataError, InputError

Reader = Callable[..., pd.DataFrame]
HEADER = "Date,Open,High,Low,Close,Volume\n"


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Return a function that writes a text to a file and reads it."""

    def reader(text: str, **choices: object) -> pd.DataFrame:
        path = tmp_path / "prices.csv"
        path.write_text(text, encoding="utf-8")
        return read_csv(path, **choices)  # type: ignore[arg-type]  # also wrong ones

    return reader


def rows(*times: str, values: str = "1,2,1,2,10") -> str:
    return HEADER + "".join(f"{time},{values}\n" for time in times)


def stamps(bars: pd.DataFrame) -> list[str]:
    return [str(stamp) for stamp in bars.index]


# --- columns ---


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Close,Volume",
        "time,open,high,low,close,volume",
        "TIMESTAMP,O,H,L,C,V",
        "Datetime,Open Price,High Price,Low Price,Close Price,Vol.",
        '"date","open","high","low","close","volume"',
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "Gmt time,Open,High,Low,Close/Last,Volume",
        ",open,high,low,close,volume",
        "Unnamed: 0,open,high,low,close,volume",
    ],
)
def test_usual_names_are_recognised(read: Reader, header: str) -> None:
    bars = read(f"{header}\n2024-03-01,1,4,0.5,2,10\n2024-03-04,2,4,0.5,3,20\n")
    assert list(bars.columns) == ["open", "high", "low", "close", "volume"]
    assert bars.to_numpy().tolist() == [[1, 4, 0.5, 2, 10], [2, 4, 0.5, 3, 20]]
    assert bars.index.name == "time"
    assert stamps(bars) == ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]


def test_columns_may_come_in_any_order_with_others_between(read: Reader) -> None:
    bars = read("Close,note,Low,Volume,Date,High,Open\n2,x,0.5,10,2024-03-01,4,1\n")
    assert bars.to_numpy().tolist() == [[1, 4, 0.5, 2, 10]]
    assert provenance(bars)["left_aside"] == ["note"]


def test_the_close_is_taken_and_the_adjusted_close_left_aside_with_a_note(read: Reader) -> None:
    bars = read("Date,Open,High,Low,Close,Adj Close,Volume\n2024-03-01,1,2,1,2,1.5,10\n")
    assert bars["close"].tolist() == [2.0]
    facts = provenance(bars)
    assert facts["notes"] == ["close is 'Close'; the adjusted 'Adj Close' is left aside."]
    assert facts["left_aside"] == ["Adj Close"]
    assert facts["columns"]["close"] == "Close"


def test_an_adjusted_close_alone_is_asked_about_and_taken_when_named(read: Reader) -> None:
    text = "Date,Open,High,Low,Adj Close\n2024-03-01,1,2,1,1.5\n"
    with pytest.raises(InputError, match="close='Adj Close'"):
        read(text)
    assert read(text, close="Adj Close")["close"].tolist() == [1.5]


def test_every_column_can_be_named(read: Reader) -> None:
    bars = read("a;b;c;d;e;f\n2024-03-01;1;2;1;2;10\n", time="a", open="b", high="c", low="d", close="e", volume="f")
    assert bars.to_numpy().tolist() == [[1, 2, 1, 2, 10]]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "time,bid_open,bid_high,bid_low,bid_close\n2024-03-01,1,2,1,2\n",
            ["no columns 'open', 'high', 'low', 'close'", "open='bid_open'", "close='bid_close'"],
        ),
        ("Date,Price,Open,High,Low\n2024-03-01,1,2,1,2\n", ["no column 'close'", "close='Price'"]),
        ("Date,Open,open,High,Low,Close\n2024-03-01,1,2,1,2,1\n", ["open could be 'Open', 'open'", "open='Open'"]),
        ("when,open,high,low,close\n2024-03-01,1,2,1,2\n", ["no column of times", "'when'", "time="]),
        ("unix,date,open,high,low,close\n1,2024-03-01,1,2,1,2\n", ["could be in 'date', 'unix'", "time='date'"]),
        (
            "date,open,high,low,close,Volume BTC,Volume USD\n2024-03-01,1,2,1,2,3,4\n",
            ["volume could be 'Volume BTC', 'Volume USD'", "volume='Volume BTC'", "volume=0.0"],
        ),
        ("Date,Open,Open,High,Low,Close\n2024-03-01,1,1,2,1,2\n", ["same name: 'Open'"]),
        ("2024-03-01,1,2,1,2,10\n2024-03-04,1,2,1,2,10\n", ["no names but values", "names=['time', 'open'"]),
        ("https://example.org\nDate,Open,High,Low,Close\n2024-03-01,1,2,1,2\n", ["makes one column", "skip_rows=1"]),
        ("a;b,c\n1;2,3\n", ["a comma and a semicolon divide", "sep=','"]),
    ],
)
def test_columns_that_are_not_clear_are_asked_about(read: Reader, text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).startswith("prices.csv: ")
    for part in parts:
        assert part in str(caught.value)


def test_a_misspelt_choice_is_met_with_the_nearest_name(read: Reader) -> None:
    with pytest.raises(InputError, match=r"close='Clsoe': there is no such column.*did you mean 'Close'"):
        read(rows("2024-03-01"), close="Clsoe")


def test_volume_may_be_absent_and_is_filled_only_when_told(read: Reader) -> None:
    text = "Date,Open,High,Low,Close\n2024-03-01,1,2,1,2\n"
    assert list(read(text).columns) == ["open", "high", "low", "close"]
    filled = read(text, volume=0.0)
    assert filled["volume"].tolist() == [0.0]
    assert "because the caller said so" in provenance(filled)["notes"][0]


def test_a_file_without_names_is_read_with_names(read: Reader) -> None:
    names = ["time", "open", "high", "low", "close", "volume"]
    bars = read("20240301 170000;1.1;1.2;1.0;1.1;0\n20240301 170100;1.1;1.2;1.0;1.1;0\n", names=names, tz="Etc/GMT+5")
    assert stamps(bars) == ["2024-03-01 22:00:00+00:00", "2024-03-01 22:01:00+00:00"]


def test_lines_before_the_names_are_skipped(read: Reader) -> None:
    assert len(read("https://example.org\n\n" + rows("2024-03-01"), skip_rows=1)) == 1


def test_one_of_several_instruments_is_taken_by_its_symbol(read: Reader) -> None:
    text = "symbol,date,open,high,low,close\nA,2024-03-01,1,2,1,2\n0700,2024-03-01,3,4,3,4\n"
    with pytest.raises(InputError, match=r"names 2 instruments \(A, 0700\); say which: symbol='A'"):
        read(text)
    with pytest.raises(InputError, match="symbol='X' is not in column 'symbol'"):
        read(text, symbol="X")
    bars = read(text, symbol="0700")
    assert bars["open"].tolist() == [3.0]
    assert provenance(bars)["symbol"] == "0700"
    with pytest.raises(InputError, match="there is no column 'symbol'"):
        read(rows("2024-03-01"), symbol="A")


# --- times ---

HALF_PAST_TWO = ["2024-03-01 14:30:00+00:00", "2024-03-01 14:31:00+00:00"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2024-03-01", "2024-03-04"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["20240301", "20240304"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["2024/03/01", "2024/03/04"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["2024.03.01", "2024.03.04"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["13/03/2024", "14/03/2024"], ["2024-03-13 00:00:00", "2024-03-14 00:00:00"]),
        (["03/12/2024", "03/13/2024"], ["2024-03-12 00:00:00", "2024-03-13 00:00:00"]),
        (["1/4/1999", "1/13/1999"], ["1999-01-04 00:00:00", "1999-01-13 00:00:00"]),
        (["13.03.2024", "14.03.2024"], ["2024-03-13 00:00:00", "2024-03-14 00:00:00"]),
        (['"Mar 01, 2024"', '"Mar 04, 2024"'], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["01-Mar-2024", "04-Mar-2024"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["2024-03-01 00:00:00", "2024-03-04 00:00:00"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
        (["2024-03-01T14:30:00Z", "2024-03-01T14:31:00Z"], HALF_PAST_TWO),
        (["2024-03-01 14:30+00:00", "2024-03-01 14:31+00:00"], HALF_PAST_TWO),
        (["2024-03-01T14:30:00.5Z"], ["2024-03-01 14:30:00.500000+00:00"]),
        (["2024-03-01T09:30:00-05:00", "2024-03-01T15:31:00+01:00"], HALF_PAST_TWO),
        (["2024-03-01 20:00:00+0530", "2024-03-01 20:01:00+0530"], HALF_PAST_TWO),
        (["2024-03-08 00:00:00-05:00", "2024-03-11 00:00:00-04:00"], ["2024-03-08 00:00:00", "2024-03-11 00:00:00"]),
        (["2024-03-08T00:00:00Z", "2024-03-11T00:00:00Z"], ["2024-03-08 00:00:00", "2024-03-11 00:00:00"]),
        (["1709303400", "1709303460"], HALF_PAST_TWO),
        (["1709303400000", "1709303460000"], HALF_PAST_TWO),
        (["1709303400000000", "1709303460000000"], HALF_PAST_TWO),
        (["1709303400000000000", "1709303460000000000"], HALF_PAST_TWO),
        (["1709303400.5", "1709303460"], ["2024-03-01 14:30:00.500000+00:00", "2024-03-01 14:31:00+00:00"]),
        (["1709251200", "1709510400"], ["2024-03-01 00:00:00", "2024-03-04 00:00:00"]),
    ],
)  # fmt: skip
def test_times_that_can_mean_one_thing_are_read(read: Reader, texts: list[str], expected: list[str]) -> None:
    bars = read(rows(*texts))
    assert stamps(bars) == expected
    assert bars.index.unit == "ns"


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        (["03/04/2024", "04/04/2024"], ["'03/04/2024'", "day or month first", 'date_format="%d/%m/%Y"', '"%m/%d/%Y"']),
        (["03.04.2024 10:00", "04.04.2024 10:00"], ['date_format="%d.%m.%Y %H:%M"']),
        (["13/03/2024", "03/14/2024"], ["mixes day first ('13/03/2024') and month first ('03/14/2024')"]),
        (["13/03/24", "14/03/24"], ["year of two digits", 'date_format="%d/%m/%y"']),
        (["2024-03-01 09:30", "2024-03-01 09:31"], ["no zone", 'tz="UTC"', "2024-03-01 09:30:00 in row 0"]),
        (["2024-03-01", "03/14/2024"], ["written in two ways", "'03/14/2024' in row 1"]),
        (["2024-03-01T09:30Z", "2024-03-01T09:31"], ["some times", "carry an offset", "row 1"]),
        (["45352", "45353"], ["45352 to 45353", "pd.to_datetime(numbers"]),
        (["34200000", "34260000"], ["does not exist"]),
        (["86400", "86460"], ["no epoch seconds"]),
        (["2024-02-30", "2024-03-01"], ["does not exist", "2024-02-30"]),
        (["2024-13-01", "2024-13-02"], ["does not exist"]),
        (["soon", "later"], ["'soon'", "date_format="]),
        (["2024-03-01", ""], ["1 of 2 times", "missing", "row 1"]),
    ],
)
def test_times_that_are_not_clear_are_asked_about(read: Reader, texts: list[str], parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read(rows(*texts))
    for part in parts:
        assert part in str(caught.value)


def test_an_ambiguous_date_is_read_as_the_caller_says(read: Reader) -> None:
    text = rows("03/04/2024", "04/04/2024")
    assert stamps(read(text, date_format="%d/%m/%Y")) == ["2024-04-03 00:00:00", "2024-04-04 00:00:00"]
    assert stamps(read(text, date_format="%m/%d/%Y"))[0] == "2024-03-04 00:00:00"
    with pytest.raises(InputError, match=r"'03/04/2024' in row 0, which is not written as date_format='%Y-%m-%d'"):
        read(text, date_format="%Y-%m-%d")


def test_naive_times_of_day_are_read_in_the_zone_that_the_caller_says(read: Reader) -> None:
    text = rows("2024-03-08 09:30", "2024-03-11 09:30")  # the clocks change between them
    assert stamps(read(text, tz="America/New_York")) == ["2024-03-08 14:30:00+00:00", "2024-03-11 13:30:00+00:00"]
    assert stamps(read(text, tz="UTC")) == ["2024-03-08 09:30:00+00:00", "2024-03-11 09:30:00+00:00"]
    with pytest.raises(InputError, match="tz='Mars' is not a time zone"):
        read(text, tz="Mars")


@pytest.mark.parametrize("time", ["2024-03-10 02:30", "2024-11-03 01:30"])
def test_a_time_that_the_clocks_skip_or_repeat_is_refused_with_its_place(read: Reader, time: str) -> None:
    with pytest.raises(InputError, match=r"\(row 1\) does not exist or occurs twice in America/New_York"):
        read(rows("2024-03-01 09:30", time), tz="America/New_York")


def test_a_zone_tells_where_midnight_makes_a_date(read: Reader) -> None:
    text = rows("1709528400", "1709614800")  # midnight in New York
    assert stamps(read(text, tz="America/New_York")) == ["2024-03-04 00:00:00", "2024-03-05 00:00:00"]
    assert stamps(read(text))[0] == "2024-03-04 05:00:00+00:00"


def test_a_date_and_a_time_of_day_are_put_together(read: Reader) -> None:
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\n"
    text = header + "2024.03.01\t09:00:00\t1\t2\t1\t2\t10\t0\n2024.03.01\t09:01:00\t1\t2\t1\t2\t10\t0\n"
    with pytest.raises(InputError, match="volume could be '<VOL>', '<TICKVOL>'"):
        read(text, tz="UTC")
    bars = read(text, tz="UTC", volume="<TICKVOL>")
    assert stamps(bars) == ["2024-03-01 09:00:00+00:00", "2024-03-01 09:01:00+00:00"]
    assert bars["volume"].tolist() == [10.0, 10.0]
    assert stamps(read(text, tz="UTC", volume="<VOL>", time=("<DATE>", "<TIME>"))) == stamps(bars)


def test_afternoons_are_told_from_mornings(read: Reader) -> None:
    bars = read(rows("03/28/2024 09:30 AM", "03/28/2024 01:30 PM"), tz="UTC")
    assert stamps(bars) == ["2024-03-28 09:30:00+00:00", "2024-03-28 13:30:00+00:00"]


def test_newest_first_is_turned_round_and_told(read: Reader) -> None:
    bars = read(HEADER + "2024-03-04,2,3,1,2,10\n2024-03-01,1,2,1,2,10\n")
    assert bars["open"].tolist() == [1.0, 2.0]
    assert provenance(bars)["notes"] == ["The rows came newest first and were turned round."]


# --- numbers ---


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2024-03-01;1,5;2,5;1,0;2,25;1000", [1.5, 2.5, 1.0, 2.25, 1000.0]),
        ("2024-03-01;1.001,5;1.002,5;999,5;1.001,0;1.000.000", [1001.5, 1002.5, 999.5, 1001.0, 1e6]),
        ("2024-03-01;1 001,5;1 002,5;999,5;1 001,0;1 000 000", [1001.5, 1002.5, 999.5, 1001.0, 1e6]),
        ("2024-03-01;1\u00a0001,5;1\u00a0002,5;999,5;1\u00a0001,0;10", [1001.5, 1002.5, 999.5, 1001.0, 10.0]),
        ("2024-03-01;1'001.5;1'002.5;999.5;1'001.0;1'000'000", [1001.5, 1002.5, 999.5, 1001.0, 1e6]),
        ("2024-03-01;$1.5;$2.5;$1.0;$2.25;10", [1.5, 2.5, 1.0, 2.25, 10.0]),
        ("2024-03-01;1.5e0;2.5;1;2.25;1e3", [1.5, 2.5, 1.0, 2.25, 1000.0]),
        ("2024-03-01;+1.5;2.5;1.;2.25;.5", [1.5, 2.5, 1.0, 2.25, 0.5]),
    ],
)
def test_numbers_are_read_in_the_one_style_that_fits(read: Reader, row: str, expected: list[float]) -> None:
    assert read(HEADER.replace(",", ";") + row + "\n").to_numpy().tolist() == [expected]


def test_quoted_thousands_in_a_comma_file_are_read(read: Reader) -> None:
    bars = read(HEADER + '2024-03-01,"1,001.5","1,002.5",999.5,"1,001.0","1,000,000"\n')
    assert bars.to_numpy().tolist() == [[1001.5, 1002.5, 999.5, 1001.0, 1e6]]


def test_a_style_is_found_by_the_whole_file_not_by_a_column(read: Reader) -> None:
    bars = read(HEADER.replace(",", ";") + "2024-03-01;101,5;102,5;99,5;101,0;12.345\n")
    assert bars["volume"].tolist() == [12345.0]


def test_a_comma_late_in_a_long_file_is_not_overlooked(read: Reader) -> None:
    days = pd.bdate_range("2010-01-01", periods=1500).strftime("%Y-%m-%d")
    begin = HEADER.replace(",", ";") + "".join(f"{day};1;2;1;2;1000\n" for day in days[:-1])
    assert read(begin + f"{days[-1]};1,5;2;1;2;1.000\n").iloc[-1].tolist() == [1.5, 2.0, 1.0, 2.0, 1000.0]
    with pytest.raises(InputError, match="written in two ways"):
        read(begin + f"{days[-1]};1,5;2;1;2;1.0\n")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            HEADER + '2024-03-01,"1,001","1,002","1,000","1,001","1,000"\n',
            ["'1,001' may mean 1.001 or 1001", "decimal="],
        ),
        (
            HEADER.replace(",", ";") + "2024-03-01;1.500;2.000;1.000;2.000;10\n",
            ["'1.500'", "three decimals or of thousands"],
        ),
        (HEADER.replace(",", ";") + "2024-03-01;1,5;2.0;1,0;2,0;1\n", ["written in two ways"]),
        (HEADER + "2024-03-01,1,2,1,2,10\n2024-03-04,1,2,x,2,10\n", ["column 'Low' holds 'x' in row 1"]),
        (HEADER + "2024-03-01,1,5,2,0,1,0,1,75,10\n", ["line 2 holds 10 values for 6 columns", "decimal sign"]),
        ("Date,Open,High,Low,Close,Volume\n2024-03-01,1,2,1,2,65.67M\n", ["column 'Volume' holds '65.67M'"]),
    ],
)
def test_numbers_that_are_not_clear_are_asked_about(read: Reader, text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    for part in parts:
        assert part in str(caught.value)


def test_what_the_caller_says_about_numbers_settles_it(read: Reader) -> None:
    text = HEADER.replace(",", ";") + "2024-03-01;1.500;2.000;1.000;2.000;10\n"
    assert read(text, decimal=".")["open"].tolist() == [1.5]
    assert read(text, decimal=",")["open"].tolist() == [1500.0]
    quoted = HEADER + '2024-03-01,"1,001","1,002","1,000","1,001","1,000"\n'
    assert read(quoted, thousands=",")["open"].tolist() == [1001.0]
    with pytest.raises(InputError, match="decimal must be"):
        read(quoted, decimal=";")


# --- bars that are not sound ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows("2024-03-05", "2024-03-01", "2024-03-04"), "not sorted"),
        (rows("2024-03-01", "2024-03-01"), "duplicated"),
        (rows("2024-03-01", values="1,2,3,2,10"), "high is below low"),
        (rows("2024-03-01", values="1,2,-1,2,10"), "low is zero or negative"),
        (rows("2024-03-01") + "2024-03-04,null,null,null,null,null\n", "open is NaN in 1 of 2 bars"),
        (rows("2024-03-01") + "2024-03-04,1,2\n", "low is NaN"),
        (HEADER, "there are no rows"),
        ("", "there are no rows"),
        ("\n\n", "there are no rows"),
    ],
)
def test_bars_that_are_not_sound_are_refused_with_the_name_of_the_file(read: Reader, text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^prices.csv: .*{message}"):
        read(text)


def test_bars_can_be_read_unchecked_to_be_mended(read: Reader) -> None:
    text = rows("2024-03-05", "2024-03-01", "2024-03-04")
    with pytest.raises(InputError, match="check=False"):
        read(text)
    assert read(text, check=False).sort_index().index.is_monotonic_increasing


# --- files ---


def test_a_missing_file_an_address_and_a_foreign_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="there is no file"):
        read_csv(tmp_path)
    with pytest.raises(InputError, match="download it first"):
        read_csv("https://example.org/prices.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes("Datum;Er\u00f6ffnung;High;Low;Close\n2024-03-01;1;2;1;2\n".encode("latin-1"))
    with pytest.raises(DataError, match='encoding="latin-1"'):
        read_csv(path)
    assert read_csv(path, encoding="latin-1", time="Datum", open="Er\u00f6ffnung")["open"].tolist() == [1.0]


def test_packed_files_and_byte_order_marks_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress(("\ufeff" + rows("2024-03-01")).encode()))
    bars = read_csv(str(path))
    assert len(bars) == 1
    assert provenance(bars)["name"] == "prices"
    path.write_bytes(b"not packed")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(path)


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
@pytest.mark.parametrize(
    "bars",
    [
        sample("NASDAQ"),
        synthetic(300, seed=1, interval="1m"),
        synthetic(300, seed=2, model="jumps", calendar="24/7"),
        synthetic(50, seed=3).drop(columns=["volume", "is_synthetic"]),
    ],
    ids=["daily", "intraday", "24/7", "no volume"],
)
def test_what_is_written_comes_back_bit_for_bit(tmp_path: Path, bars: pd.DataFrame, name: str) -> None:
    write_csv(bars, tmp_path / name)
    again = read_csv(tmp_path / name)
    pd.testing.assert_frame_equal(again, bars, check_exact=True, check_freq=False)
    assert again.index.equals(bars.index)


def test_awkward_numbers_come_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    close = np.exp(rng.uniform(-30, 30, 500))
    bars = pd.DataFrame(
        {"open": close, "high": np.nextafter(close, np.inf), "low": close, "close": close, "volume": close},
        index=pd.bdate_range("2000-01-03", periods=500),
    )
    write_csv(bars, tmp_path / "bars.csv")
    assert (read_csv(tmp_path / "bars.csv").to_numpy() == bars.to_numpy()).all()


def test_bars_that_are_not_sound_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not sorted|newest first"):
        write_csv(sample("NASDAQ").iloc[::-1], tmp_path / "bars.csv")
    assert not (tmp_path / "bars.csv").exists()


def test_synthetic_prices_stay_marked_through_a_file(tmp_path: Path) -> None:
    write_csv(synthetic(20, seed=1), tmp_path / "bars.csv")
    again = read_csv(tmp_path / "bars.csv")
    assert again["is_synthetic"].dtype == bool
    assert again["is_synthetic"].all()
