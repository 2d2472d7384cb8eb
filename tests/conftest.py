"""Fixtures and rules of all tests: no network, seeded examples, loud skips.

Environment
-----------
ALGOTRENDY_HYPOTHESIS : "quick" (default), "long", or "brief" for a second run of the same tests
    How many examples a property test tries.
ALGOTRENDY_REQUIRE_BROWSER : "1"
    A browser test fails instead of being skipped where there is no browser.
ALGOTRENDY_REQUIRE_SERVICES : "1"
    A test that needs PostgreSQL or Redis fails instead of being skipped where there is none.
ALGOTRENDY_TEST_POSTGRES, ALGOTRENDY_TEST_REDIS : address
    The servers to test on: `postgresql://postgres@127.0.0.1:5432/test` and `redis://127.0.0.1:6379/0`.
ALGOTRENDY_STRICT_SKIPS : "1"
    The run fails if a test was skipped for any reason but missing shared data or a missing GPU.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
ALLOWED_SKIPS = ("shared:", "gpu:")

settings.register_profile(
    "quick", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "brief", max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("ALGOTRENDY_HYPOTHESIS", "quick"))


# --- the network is off ---


NOBODY = "http://127.0.0.1:9"
"""The port of a service, discard, that no machine runs any more."""


class NetworkIsOffError(RuntimeError):
    """A test tried to reach another machine."""


def _is_local(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(address[0])
    return host in ("localhost", "::1", "") or host.startswith("127.")


def _guarded(name: str) -> Any:
    original = getattr(socket.socket, name)

    def connect(self: socket.socket, address: Any) -> Any:
        if not _is_local(self.family, address):
            raise NetworkIsOffError(f"tests reach no other machine, but something tried to connect to {address!r}")
        return original(self, address)

    return connect


def pytest_configure(config: pytest.Config) -> None:
    """Guard sockets for the whole run, collection and doctests included; see to it that Ctrl-C can be tested."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited by what a shell starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # libcurl, through which Yahoo is asked, opens sockets of its own: a proxy that nobody runs ends what it sends.
    os.environ.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOBODY))
    os.environ.update(dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"))
    socket.socket.connect = _guarded("connect")  # type: ignore[method-assign]
    socket.socket.connect_ex = _guarded("connect_ex")  # type: ignore[method-assign]


# --- what a test may need and a machine may lack ---


def _browser_is_missing() -> bool:
    return shutil.which("chromium") is None or shutil.which("chromedriver") is None


POSTGRES = os.environ.get("ALGOTRENDY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
REDIS = os.environ.get("ALGOTRENDY_TEST_REDIS", "redis://127.0.0.1:6379/0")
SERVICES = {"postgres": POSTGRES, "redis": REDIS}
"""Markers of tests that need a server, and where it is."""


@functools.cache
def _does_not_answer(address: str) -> str:
    """Return why nothing answers at an address, or an empty text; who answers, the tests find out."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=2.0).close()
    except OSError as e:
        return f"nothing answers at {parts.hostname}:{parts.port} ({e.strerror or e})"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with a reason that begins with what is missing, the tests that this machine cannot run."""
    require_browser = os.environ.get("ALGOTRENDY_REQUIRE_BROWSER") == "1"
    require_services = os.environ.get("ALGOTRENDY_REQUIRE_SERVICES") == "1"
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"shared: there is no folder {SHARED.name} beside the project"))
        if item.get_closest_marker("browser") and _browser_is_missing() and not require_browser:
            item.add_marker(pytest.mark.skip(reason="browser: chromium and chromedriver are not installed"))
        for name, address in SERVICES.items():
            if item.get_closest_marker(name) and not require_services and (reason := _does_not_answer(address)):
                item.add_marker(pytest.mark.skip(reason=f"{name}: {reason}"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real market data beside the project, or skip the test."""
    if not SHARED.is_dir():
        pytest.skip(f"shared: there is no folder {SHARED.name} beside the project")
    return SHARED


@pytest.fixture
def postgres_schema() -> Iterator[tuple[str, str]]:
    """Yield the address of a PostgreSQL server and the name of a schema of this test alone, dropped afterwards."""
    yield from _own_schema()


@pytest.fixture(scope="module")
def postgres_module_schema() -> Iterator[tuple[str, str]]:
    """Yield the same for all tests of a module: each keeps to rows of its own."""
    yield from _own_schema()


def _own_schema() -> Iterator[tuple[str, str]]:
    import asyncpg

    from algotrendy.compute import wait_for

    schema = f"test_{secrets.token_hex(6)}"
    yield POSTGRES, schema

    async def drop() -> None:
        connection = await asyncpg.connect(POSTGRES)
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        await connection.close()

    wait_for(drop())


@pytest.fixture
def redis_prefix() -> Iterator[tuple[str, str]]:
    """Yield the address of a Redis server and a prefix of keys of this test alone, removed afterwards."""
    import redis

    prefix = f"test-{secrets.token_hex(6)}"
    yield REDIS, prefix
    with redis.Redis.from_url(REDIS) as client:
        keys = list(client.scan_iter(f"{prefix}:*"))
        if keys:
            client.delete(*keys)


@pytest.fixture
def browser() -> Iterator[Any]:
    """Yield a headless Chromium whose console log can be read with `get_log("browser")`."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        "--window-size=1400,1000",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


# --- skips are loud ---


def _skip_reasons(session: pytest.Session) -> Counter[str]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    return Counter(str(report.longrepr[-1]).removeprefix("Skipped: ") for report in skipped)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List every reason for a skip, with how many tests it kept from running."""
    reasons = _skip_reasons(terminalreporter._session)
    if reasons:
        terminalreporter.section("skipped, and why")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count:4d}  {reason}", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under ALGOTRENDY_STRICT_SKIPS, fail a run that skipped what it had to run."""
    if os.environ.get("ALGOTRENDY_STRICT_SKIPS") != "1" or hasattr(session.config, "workerinput"):
        return
    refused = [reason for reason in _skip_reasons(session) if not reason.startswith(ALLOWED_SKIPS)]
    if refused and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for reason in refused:
            session.config.get_terminal_writer().line(f"\nERROR: a skip that is not allowed here: {reason}", red=True)
