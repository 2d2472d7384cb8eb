"""The market data facade: the signatures of the specification, a cache in front, partial failure by symbol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.compute import wait_for
from algotrendy.config import Settings
from algotrendy.data.stream import ReplaySource, StreamHub, sample_trades
from algotrendy.errors import ConfigError, DataError, InputError
from algotrendy.services import MarketData, MarketDataService, Platform, TechnicalIndicators

INDEX = {"source": "sample", "asset_type": "index"}


@pytest.fixture
def service(tmp_path: Path) -> MarketDataService:
    return Platform.local(settings=Settings(source="synthetic"), home=tmp_path).market_data


def test_history_comes_with_indicators_that_are_blank_while_they_warm_up(service: MarketDataService) -> None:
    bars = wait_for(service.get_historical_data("NASDAQ", "max", "1d", **INDEX))
    assert list(bars.columns[:5]) == ["open", "high", "low", "close", "volume"]
    assert bars["rsi"].iloc[:14].isna().all()
    assert bars["rsi"].iloc[14:].between(0.0, 100.0).all()
    newest = TechnicalIndicators.at_end(at.sample("NASDAQ"))
    assert newest.rsi == bars["rsi"].iloc[-1]
    assert TechnicalIndicators.at_end(at.sample("NASDAQ").iloc[:5]).rsi is None
    assert TechnicalIndicators() == TechnicalIndicators(rsi=None)


def test_history_in_another_style(service: MarketDataService) -> None:
    rows = wait_for(
        service.get_historical_data("NASDAQ", "max", "1d", "renko", chart_params={"brick_size": 100.0}, **INDEX)
    )
    assert set(rows["direction"]) == {-1, 1}
    again = wait_for(service.apply_chart_style(at.sample("NASDAQ"), "renko", {"size": 100.0}))
    np.testing.assert_array_equal(rows["close"], again["close"])
    with pytest.raises(InputError, match="renko"):
        wait_for(service.apply_chart_style(at.sample("NASDAQ"), "renco", {}))


def test_a_second_call_is_served_by_the_cache_and_changes_nothing_in_it(service: MarketDataService) -> None:
    async def twice() -> tuple[pd.DataFrame, pd.DataFrame]:
        first = await service.get_historical_data("garch-7", "1y", indicators=False)
        kept = first.copy()
        first.loc[:, ["open", "close"]] = 0.0
        return kept, await service.get_historical_data("garch-7", "1y", indicators=False)

    kept, second = wait_for(twice())
    pd.testing.assert_frame_equal(kept, second)
    assert service.cache is not None
    assert service.cache.statistics().hits == 1


def test_many_callers_at_once_share_one_fetch(service: MarketDataService) -> None:
    async def many() -> list[pd.DataFrame]:
        return await asyncio.gather(
            *(service.get_historical_data("garch-7", "1y", indicators=False) for _ in range(50))
        )

    assert len(wait_for(many())) == 50
    assert service.cache is not None
    assert service.cache.statistics().misses == 1


def test_a_batch_tells_failures_by_symbol(service: MarketDataService) -> None:
    loaded = wait_for(service.get_batch(["NASDAQ", "NOPE", "SP500"], "max", **INDEX))
    assert list(loaded) == ["NASDAQ", "SP500"]
    assert "no sample 'NOPE'" in str(loaded.failures["NOPE"])
    with pytest.raises(DataError):
        loaded["NOPE"]


def test_freshness_is_measured(service: MarketDataService) -> None:
    with pytest.raises(DataError, match="were loaded here yet"):
        service.freshness("NASDAQ")
    wait_for(service.get_historical_data("NASDAQ", "max", **INDEX))
    told = service.freshness("NASDAQ", limit_seconds=3600.0)
    assert told.stale
    assert str(told.newest) == "2018-12-31 00:00:00+00:00"


def test_quality_of_what_is_loaded(service: MarketDataService) -> None:
    report = wait_for(service.get_quality("SP500", "max", **INDEX))
    assert "stale_open" in report.kinds


def test_new_bars_are_published(tmp_path: Path) -> None:
    sent: list[tuple[str, str, Mapping[str, Any]]] = []

    class Kept:
        async def publish(self, topic: str, key: str, value: Mapping[str, Any]) -> None:
            sent.append((topic, key, value))

    service = Platform.local(home=tmp_path, publisher=Kept()).market_data
    wait_for(service.get_historical_data("NASDAQ", "max", **INDEX))
    assert [(topic, value["rows"]) for topic, _, value in sent] == [("market.data.received", 5031)]


def test_subscriptions_go_through_the_hub() -> None:
    async def listened() -> tuple[str, list[Any]]:
        heard: list[Any] = []
        trades = sample_trades(500, seed=1)
        async with StreamHub(ReplaySource({"ACME": trades}, speed=float("inf")), overflow="wait") as hub:
            service = Platform.local(hub=hub).market_data
            name = await service.subscribe_realtime(["ACME"], heard.append, ["price", "volume"])
            await hub.join()
        return name, heard

    name, heard = wait_for(listened())
    assert name.startswith("sub_")
    assert len(heard) == 500


def test_a_cancelled_subscription_hears_nothing_more() -> None:
    async def cancelled() -> None:
        async with StreamHub(ReplaySource({"ACME": sample_trades(100)})) as hub:
            service = Platform.local(hub=hub).market_data
            name = await service.subscribe_realtime(["ACME"], lambda tick: None)
            await service.cancel_subscription(name)
            assert name not in hub.subscriptions
            with pytest.raises(InputError):
                await service.cancel_subscription(name)

    wait_for(cancelled())


def test_what_is_not_set_up_says_so(service: MarketDataService, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="StreamHub"):
        wait_for(service.subscribe_realtime(["A"], print))
    for name in ("ALGOTRENDY_COVALENT_API_KEY", "COVALENT_API_KEY", "GOLDRUSH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="needs a key"):
        wait_for(service.get_wallet_balances(1, "0x" + "0" * 40))
    bare = MarketDataService(service.data_manager)
    with pytest.raises(ConfigError, match="blockchain"):
        wait_for(bare.get_blockchain_data(1, "0x" + "0" * 40, "2024-01-01", "2024-02-01"))


def test_an_option_that_does_not_exist_is_an_error(service: MarketDataService) -> None:
    with pytest.raises(TypeError, match="sauce"):
        wait_for(service.get_historical_data("A", sauce="yahoo"))


def test_bars_as_models() -> None:
    bars = at.sample("NASDAQ").iloc[:3]
    models = list(MarketData.of(bars, "NASDAQ", asset_type="index"))  # type: ignore[arg-type]
    assert [model.close for model in models] == bars["close"].tolist()
    assert str(models[0].timestamp) == "1999-01-04 00:00:00+00:00"


@pytest.mark.parametrize("url", ["sqlite", None])
def test_the_store_is_chosen_by_the_settings(tmp_path: Path, url: str | None) -> None:
    store_url = f"sqlite:///{tmp_path}/bars.db" if url else None
    platform = Platform.local(settings=Settings(store_url=store_url), home=tmp_path)
    wait_for(platform.market_data.get_historical_data("NASDAQ", "max", **INDEX))
    wait_for(platform.close())
