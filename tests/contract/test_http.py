"""The one door: patience, Retry-After, clocks, budgets, deadlines and cassettes, against a real server."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from algotrendy.compute import wait_for
from algotrendy.data.providers.cassette import Recorder, Replayer
from algotrendy.data.providers.http import HttpClient, Patience, retry_after
from algotrendy.data.providers.limits import Budget
from algotrendy.errors import AlgotrendyError, BadAnswer, DataError, InputError, RateLimited, VenueUnavailable


def _error_of(status: int, payload: Any) -> AlgotrendyError:
    return DataError(f"{status}: {payload}")


def _client(url: str, waits: list[float] | None = None, **options: Any) -> HttpClient:
    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    return HttpClient("tester", url, **{"sleep": sleep, "jitter": lambda: 1.0, **options})


def _get(client: HttpClient, path: str = "/a", **params: Any) -> Any:
    async def asked() -> Any:
        try:
            async with client.call() as call:
                return await call.get_json(path, params or None, error_of=_error_of)
        finally:
            await client.close()

    return wait_for(asked())


def test_waits_grow_and_are_drawn_from_zero_to_that(vendor: Any, reply: Any) -> None:
    vendor.answers(reply({}, 500), reply({}, 502), reply({}, 503), reply([1]))
    waits: list[float] = []
    assert _get(_client(vendor.url, waits)) == [1]
    assert waits == [0.5, 1.0, 2.0]
    vendor.answers(reply({}, 500), reply({}, 502), reply([1]))
    waits.clear()
    _get(_client(vendor.url, waits, jitter=lambda: 0.25))
    assert waits == [0.125, 0.25]


@pytest.mark.parametrize(
    ("header", "date", "expected"),
    [
        ("7", None, 7.0),
        ("0", None, 0.0),
        ("Sat, 01 Jun 2024 12:00:30 GMT", "Sat, 01 Jun 2024 12:00:00 GMT", 30.0),
        ("Sat, 01 Jun 2024 12:00:30 GMT", "Sat, 01 Jun 2030 12:00:00 GMT", 0.0),
        ("Sat, 01 Jun 2024 12:00:30 GMT", None, 20.0),
        ("soon", None, None),
        ("-5", None, None),
        (None, None, None),
    ],
)
def test_retry_after_is_read_in_both_forms_by_the_clock_of_the_vendor(
    header: str | None, date: str | None, expected: float | None
) -> None:
    given = {name: value for name, value in (("retry-after", header), ("date", date)) if value is not None}
    assert retry_after(given, pd.Timestamp("2024-06-01 12:00:10", tz="UTC")) == expected


def test_a_date_to_wait_for_counts_from_the_vendors_clock(vendor: Any, reply: Any) -> None:
    long_ago = pd.Timestamp("2001-01-01", tz="UTC")
    then = format_datetime((pd.Timestamp.now("UTC") + pd.Timedelta(seconds=9)).to_pydatetime(), usegmt=True)
    vendor.answers(reply({}, 429, {"Retry-After": then}), reply([1]))
    waits: list[float] = []
    assert _get(_client(vendor.url, waits, clock=lambda: long_ago)) == [1]
    assert len(waits) == 1
    assert 7.0 <= waits[0] <= 10.0


def test_a_clock_that_runs_ahead_is_not_believed(vendor: Any, reply: Any) -> None:
    vendor.answers(reply([1]))
    ahead = _client(vendor.url, clock=lambda: pd.Timestamp.now("UTC") + pd.Timedelta(days=3))
    _get(ahead)
    assert abs(ahead.now() - pd.Timestamp.now("UTC")) < pd.Timedelta(seconds=3)
    assert "ahead of that of tester" in ahead.skew_note()[0]
    behind = _client(vendor.url, clock=lambda: pd.Timestamp.now("UTC") - pd.Timedelta(days=3))
    _get(behind)
    assert behind.now() < pd.Timestamp.now("UTC") - pd.Timedelta(days=2)
    assert "behind that of tester" in behind.skew_note()[0]
    right = _client(vendor.url)
    _get(right)
    assert right.skew_note() == ()


def test_what_is_no_failure_is_not_tried_again(vendor: Any, reply: Any) -> None:
    vendor.answers(reply({"message": "no"}, 400))
    with pytest.raises(DataError, match="400"):
        _get(_client(vendor.url))
    assert len(vendor.received) == 1


def test_only_reads_are_tried_again(vendor: Any, reply: Any) -> None:
    client = _client("http://127.0.0.1:9")

    async def posted() -> None:
        async with client.call() as call:
            await call.send(client.request("POST", "/order"))

    with pytest.raises(VenueUnavailable, match="after 1 attempts"):
        wait_for(posted())


def test_an_answer_that_leads_elsewhere_is_refused(vendor: Any, reply: Any) -> None:
    vendor.answers(reply({}, 302, {"Location": "https://elsewhere.example/login"}))
    with pytest.raises(BadAnswer, match=r"sends us to elsewhere\.example"):
        _get(_client(vendor.url))


def test_keys_go_to_the_vendor_alone() -> None:
    client = _client("https://api.vendor.example", headers={"Authorization": "Bearer s3cret"})
    assert client.request("GET", "/a").headers["authorization"] == "Bearer s3cret"
    assert "authorization" not in client.request("GET", "https://evil.example/a").headers


def test_the_deadline_holds_for_all_requests_of_a_call(vendor: Any, reply: Any) -> None:
    vendor.answers(reply({}, 503))
    client = HttpClient(
        "tester", vendor.url, patience=Patience(attempts=1000, deadline_seconds=0.6, first_wait_seconds=0.1)
    )
    begun = time.monotonic()
    with pytest.raises(VenueUnavailable):
        _get(client)
    assert time.monotonic() - begun < 2.0


def test_an_answer_that_trickles_ends_at_the_deadline(vendor: Any, reply: Any) -> None:
    vendor.answers(reply([1], wait=3.0))
    client = HttpClient("tester", vendor.url, patience=Patience(deadline_seconds=0.3, timeout_seconds=30))
    with pytest.raises(VenueUnavailable, match=r"deadline_seconds=0\.3"):
        _get(client)


def test_a_budget_that_is_used_up_beyond_the_deadline_is_told(vendor: Any, reply: Any) -> None:
    vendor.answers(reply([1]))
    client = HttpClient("tester", vendor.url, budget=Budget(2, 3600.0), patience=Patience(deadline_seconds=5))
    _get(client, n=1)
    _get(client, n=2)
    with pytest.raises(RateLimited, match="budget of 2 requests in 3600 seconds is used up") as told:
        _get(client, n=3)
    assert told.value.retry_after_seconds == pytest.approx(1800, abs=5)
    assert len(vendor.received) == 2


def test_a_refusal_pauses_everyone_who_shares_the_budget() -> None:
    now = [0.0]
    budget = Budget(10, 1.0, clock=lambda: now[0])
    budget.pause(5.0)
    assert budget.reserve() == 5.0
    now[0] = 4.0
    assert budget.reserve() == 1.0
    now[0] = 6.0
    assert budget.reserve() == 0.0


def test_a_budget_is_never_exceeded_by_many_threads() -> None:
    now = [0.0]
    budget = Budget(5, 60.0, clock=lambda: now[0])
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(budget.reserve())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] * 5 + [12.0 * n for n in range(1, 16)]
    with pytest.raises(InputError, match="is none"):
        Budget(0, 60.0)


def test_a_client_serves_several_loops(vendor: Any, reply: Any) -> None:
    vendor.answers(reply([1]))
    client = _client(vendor.url)

    async def asked(n: int) -> Any:
        async with client.call() as call:
            return await call.get_json("/a", {"n": n}, error_of=_error_of)

    assert wait_for(asked(1)) == [1]
    assert asyncio.new_event_loop().run_until_complete(asked(2)) == [1]
    assert wait_for(asked(3)) == [1]
    wait_for(client.close())


def _recorded(vendor: Any, path: Path, *asked: dict[str, Any]) -> None:
    recorder = Recorder(httpx.AsyncHTTPTransport(), path, provider="tester", secrets=["s3cret/"])
    client = _client(vendor.url, transport=lambda: recorder, headers={"Authorization": "Bearer s3cret/"})
    for params in asked:
        _get(client, **params)


def test_a_cassette_holds_no_secret_and_plays_in_order(vendor: Any, reply: Any, tmp_path: Path) -> None:
    vendor.answers(
        reply({}, 429, {"Retry-After": "0", "Set-Cookie": "id=s3cret/"}),
        reply({"echo": "your key s3cret/ is fine", "n": 1}),
        reply({"n": 2}),
    )
    path = tmp_path / "tape.jsonl"
    _recorded(vendor, path, {"apikey": "s3cret/", "page": "1"}, {"page": "1"})
    text = path.read_text(encoding="utf-8")
    assert "s3cret" not in text
    assert "cookie" not in text.lower()
    assert [json.loads(line).get("status") for line in text.splitlines()] == [None, 429, 200, 200]
    player = Replayer(path)
    client = _client("http://127.0.0.1:9", transport=lambda: player)
    assert _get(client, page="1", apikey="another") == {"echo": "your key *** is fine", "n": 1}
    assert _get(client, page="1") == {"n": 2}
    assert _get(client, page="1") == {"n": 2}
    with pytest.raises(DataError, match=r"holds no answer to GET /a\?page=2; it answers GET /a\?page=1"):
        _get(client, page="2")


@pytest.mark.parametrize("text", ["", "no json", '{"something": "else"}', "[1, 2]"])
def test_a_file_that_is_no_cassette_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tape.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="no cassette"):
        Replayer(path)
    with pytest.raises(DataError, match="cannot be read"):
        Replayer(tmp_path / "none.jsonl")
