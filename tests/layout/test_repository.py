"""The repository's own files: pinned versions, no addresses, no paths of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".cfg", ".yml", ".yaml", ".json", ".ipynb", ".html", ".css", ""}


def _tracked_files() -> list[Path]:
    """Return the files that git knows, or would know: nothing that is ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("git: this is not a git work tree, so nothing says which files belong to it")
    files = [ROOT / name for name in listed.stdout.splitlines()]
    return [
        path for path in files if path.is_file() and path.suffix in TEXT_SUFFIXES and path.stat().st_size < 2_000_000
    ]


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-pandas2.txt"])
def test_constraints_hold_names_and_versions_only(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+", line)] == []


def test_the_two_constraints_files_cover_both_pandas_lines() -> None:
    newest = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    older = (ROOT / "constraints-pandas2.txt").read_text(encoding="utf-8")
    assert re.search(r"^pandas==3\.", newest, re.MULTILINE)
    assert re.search(r"^pandas==2\.[23]\.", older, re.MULTILINE)


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    refused = re.compile(
        r"pypi\.org|pythonhosted\.org|deb\.debian\.org|registry\.npmjs\.org|--index-url|--extra-index-url|--find-links"
        r"|/root/|/home/[a-z]+/|/work/|/Users/"
    )
    here = Path(__file__).resolve()
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked_files()
        if path != here
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if refused.search(line)
    ]
    assert found == []


def test_every_decision_record_has_its_four_parts() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert records
    for path in records:
        text = path.read_text(encoding="utf-8")
        number = path.name[:4]
        assert text.startswith(f"# {number}: "), path.name
        for part in ("Status: ", "Context: ", "Decision: ", "Consequences: "):
            assert f"\n{part}" in text, f"{path.name} lacks {part!r}"


def test_the_changelog_names_the_version() -> None:
    import algotrendy

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{algotrendy.__version__}]" in text
