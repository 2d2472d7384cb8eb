"""Folders of series: apart on every file system, also where case makes no difference and names must be short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from algotrendy.data.series import SeriesKey
from algotrendy.data.store.parquet import _safe_path

texts = st.text(st.sampled_from("aAbB1.%/~@-_ é"), min_size=1, max_size=6).map(lambda text: text.replace(" ", "_"))
keys = st.builds(
    SeriesKey,
    source=texts,
    instrument=st.builds("stock:{}:{}".format, texts, texts | texts.map(lambda text: text * 60)),
    interval=st.sampled_from(["1d", "1m", "1mo"]),
    chart_style=st.sampled_from(["time", "renko", "Renko"]) | texts,
)


@given(first=keys, second=keys)
def test_no_two_series_share_a_folder_even_where_case_makes_no_difference(first: SeriesKey, second: SeriesKey) -> None:
    paths = [_safe_path(key) for key in (first, second)]
    assert (first == second) == (paths[0].lower() == paths[1].lower())
    assert all(
        len(part) < 200 and part.isascii() and part not in (".", "..") for path in paths for part in path.split("/")
    )


def test_usual_names_stay_as_they_are() -> None:
    key = SeriesKey(source="yahoo", instrument="stock:XNAS:AAPL", interval="1d")
    assert _safe_path(key) == key.path == "yahoo/stock/1d/raw/XNAS~AAPL"
    lower = SeriesKey(source="yahoo", instrument="stock:XNAS:aapl", interval="1d")
    assert _safe_path(lower).startswith("yahoo/stock/1d/raw/XNAS~aapl~")
