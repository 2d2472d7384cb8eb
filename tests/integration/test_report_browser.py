"""Reports opened in a real headless browser, from a file, with the network off: no error, every chart drawn.

Where chromium is missing these tests are skipped, and fail under ALGOTRENDY_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

import algotrendy as at
from algotrendy.reports import Cell, Chart, Document, KeyFigure, KeyFigures, Section, Switch, Table, Text, render_html

pytestmark = pytest.mark.browser

EVIL = "</script><script>window.hacked = true</script><img src=x onerror='window.hacked = true'>"

DRAWN = """
return Array.from(document.querySelectorAll(".canvas"), function (canvas) {
  const svg = canvas.querySelector("svg.main-svg");
  const box = svg ? svg.getBoundingClientRect() : {width: 0, height: 0};
  const marks = canvas.querySelectorAll(
    ".scatterlayer .js-line, .scatterlayer .point, .barlayer .point, .heatmaplayer image, .heatmaplayer canvas");
  return {id: canvas.id, width: box.width, height: box.height, traces: (canvas.data || []).length, marks: marks.length,
          ink: canvas.layout.font.color, type: canvas.layout.yaxis.type};
});
"""


def opened(browser: Any, page: Path, *, theme: str = "light", width: int = 1280) -> list[dict[str, Any]]:
    """Open a page from its file with the network off, wait until it is drawn, and return what each chart shows."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    in_theme(browser, theme)
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    browser.get(page.as_uri())
    wait_until(browser, "return document.documentElement.dataset.drawn === 'true'")
    return charts(browser)


def in_theme(browser: Any, theme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait_until(browser: Any, script: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not browser.execute_script(script):
        assert time.monotonic() < end, f"the page never came to: {script}"
        time.sleep(0.05)


def charts(browser: Any) -> list[dict[str, Any]]:
    drawn: list[dict[str, Any]] = browser.execute_script(DRAWN)
    return drawn


def assert_drawn(shown: list[dict[str, Any]], count: int) -> None:
    assert len(shown) == count
    for chart in shown:
        assert chart["traces"] > 0, chart
        assert chart["marks"] > 0, chart
        assert chart["width"] > 200, chart
        assert chart["height"] > 150, chart


def assert_quiet(browser: Any) -> None:
    assert browser.get_log("browser") == []


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a backtest with a hostile name, and its sweep."""
    bars = at.synthetic(1500, seed=3)
    entry, leave = "sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)"
    strategy = at.Strategy(entry=entry, exit=leave, name=EVIL, fast=5, slow=20)
    result = at.backtest(strategy, bars, cash=10_000, commission=0.0005)
    sweep = at.optimize(strategy, bars, {"fast": range(3, 13), "slow": range(20, 60, 4)}, workers=1)
    return result.report(tmp_path_factory.mktemp("report") / "report.html", sweep=sweep)


def test_a_report_opens_from_its_file_without_a_network(browser: Any, page: Path) -> None:
    assert_drawn(opened(browser, page), 6)
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.querySelector('h1').textContent") == EVIL
    requested = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in requested if not re.match(r"(data|blob|file):", name)] == []
    assert_quiet(browser)


def test_a_report_follows_the_theme_of_its_reader(browser: Any, page: Path) -> None:
    light = opened(browser, page)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    in_theme(browser, "dark")
    wait_until(browser, f"return document.querySelector('.canvas').layout.font.color !== '{light[0]['ink']}'")
    dark = charts(browser)
    assert_drawn(dark, 6)
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") != ground
    assert_quiet(browser)


def test_a_report_fits_a_narrow_screen(browser: Any, page: Path) -> None:
    assert_drawn(opened(browser, page, width=390), 6)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert_quiet(browser)


def test_the_scale_of_the_equity_can_be_switched(browser: Any, page: Path) -> None:
    assert opened(browser, page)[0]["type"] == "linear"
    buttons = browser.find_elements("css selector", "button[data-chart]")
    assert [button.text for button in buttons] == ["Linear", "Log"]
    buttons[1].click()
    wait_until(browser, "return document.querySelector('.canvas').layout.yaxis.type === 'log'")
    assert [button.get_attribute("aria-pressed") for button in buttons] == ["false", "true"]
    assert_drawn(charts(browser), 6)
    assert_quiet(browser)


def test_a_report_can_be_printed(browser: Any, page: Path) -> None:
    opened(browser, page, theme="dark")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 50_000
    assert_drawn(charts(browser), 6)
    assert_quiet(browser)


def test_any_document_can_be_opened(browser: Any, tmp_path: Path) -> None:
    figure = go.Figure({"data": [{"type": "bar", "x": [EVIL, "b"], "y": [1, 2], "name": EVIL}]})
    figure.update_layout(title={"text": EVIL}, annotations=[{"text": EVIL, "x": 0, "y": 1}])
    blocks = [
        Text(EVIL),
        KeyFigures([KeyFigure("a", "1")]),
        Chart(figure, EVIL, EVIL, switches=[Switch("s", [("a", {}), (EVIL, {"title.text": EVIL})])]),
        Table(["a", "b"], [["1", Cell("2", heat=1.0, note=EVIL)]], EVIL),
    ]
    path = tmp_path / "page.html"
    path.write_text(render_html(Document(EVIL, EVIL, [Section(EVIL, blocks)], EVIL)), encoding="utf-8")
    assert_drawn(opened(browser, path), 1)
    browser.find_elements("css selector", "button[data-chart]")[1].click()
    assert browser.execute_script("return window.hacked") is None
    assert_quiet(browser)
