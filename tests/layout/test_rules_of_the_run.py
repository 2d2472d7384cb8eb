"""The rules that `tests/conftest.py` sets for every test hold."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings


def test_no_other_machine_can_be_reached() -> None:
    with socket.socket() as wanderer, pytest.raises(RuntimeError, match="reach no other machine"):
        wanderer.connect(("192.0.2.1", 80))
    with socket.socket() as wanderer, pytest.raises(RuntimeError, match="reach no other machine"):
        wanderer.connect_ex(("192.0.2.1", 80))


def test_libcurl_reaches_no_other_machine_either() -> None:
    curl = pytest.importorskip("curl_cffi.requests", reason="extra: yahoo is not installed")
    with pytest.raises(curl.exceptions.RequestException, match=r"127\.0\.0\.1"):
        curl.get("https://192.0.2.1/", timeout=5)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        assert client.getpeername() == server.getsockname()


def test_kernels_are_cached_apart_from_the_users_own() -> None:
    assert Path(os.environ["ALGOTRENDY_HOME"]) != Path.home() / ".cache" / "algotrendy"


def test_property_tests_are_repeatable_unless_asked_for_long_runs() -> None:
    profile = os.environ.get("ALGOTRENDY_HYPOTHESIS", "quick")
    assert settings().derandomize == (profile != "long")
    assert settings().max_examples == {"brief": 10, "quick": 50, "long": 2000}[profile]
