"""Write the figures of the last `make bench` into the page "How we compare", as a table.

Run it with any Python: `python benchmarks/render.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "explanation" / "how-we-compare.md"
BEGIN = "<!-- figures: written by benchmarks/render.py from benchmarks/out/latest.json -->"
END = "<!-- end of figures -->"


def table(latest: dict[str, Any]) -> str:
    """Return the Markdown table of a benchmark's result, and a line on the machine."""
    lines = ["| work | algotrendy | budget | budget used | peers |", "|---|--:|--:|--:|---|"]
    for row in latest["rows"]:
        budget = "" if row["budget"] is None else f"{figure(row['budget'])} {row['unit']}"
        peers = "; ".join(_peer(row, name) for name, value in row["peers"].items() if value is not None)
        ours = f"{figure(row['ours'])} {row['unit']}"
        share = row.get("share_here")
        used = "" if share is None else f"{share:.0%}"
        lines.append(f"| {row['title']} | {_marked(ours, row['verdict'])} | {budget} | {used} | {peers} |")
    notes = [f"- {row['title']}: {row['note']}." for row in latest["rows"] if row["note"]]
    machine = dict(latest["machine"])
    versions = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "cpu")
    speed = latest["speed"]
    where = (
        f"One core, {machine['cpu']}, {latest['date']}; {versions}. A figure over its budget as it stands is in bold."
        f" By {speed['n_figures']} figures of the peers this machine took {speed['factor']:.2f} times as long as the"
        " one that the budgets were set on: the budget used is a share of the budget times that. Budgets that are a"
        " peer's time of this run, or no matter of speed, are taken as they stand. An x after a peer's figure: that"
        " many times ours."
    )
    return "\n".join([where, "", *lines, "", *notes])


def figure(value: float) -> str:
    """Return three significant digits."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _marked(text: str, verdict: str) -> str:
    return f"**{text}**" if verdict.startswith("OVER") else text


def _peer(row: dict[str, Any], name: str) -> str:
    value = row["peers"][name]
    return f"{name} {figure(value)} {row['unit']} ({figure(value / row['ours'])}x)"


def main() -> None:
    """Replace what stands between the two marks of the page."""
    latest = json.loads((HERE / "out" / "latest.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(latest)}\n\n{END}{after}", encoding="utf-8")
    print(f"written: {PAGE.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
