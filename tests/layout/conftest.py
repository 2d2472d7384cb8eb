"""What the layout tests measure: the source files of the package, read and parsed once."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "algotrendy"


@dataclass(frozen=True)
class Source:
    """One source file of the package.

    Attributes
    ----------
    name : str
        Its path below the repository's top folder, with slashes: "algotrendy/errors.py".
    """

    name: str
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Yield every function with its place: "algotrendy/errors.py::ExpressionError.__init__"."""
        yield from _functions(self.tree, self.name + "::")


def _functions(node: ast.AST, place: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield place + child.name, child
            yield from _functions(child, f"{place}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{place}{child.name}.")
        else:
            yield from _functions(child, place)


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Return all source files of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in files]
    # In Python 3.11 a collection amid `ast.parse` may let another thread parse, and both then fail (CPython 106905).
    gc.disable()
    try:
        return [
            Source(path.relative_to(PACKAGE.parent).as_posix(), text, ast.parse(text))
            for path, text in zip(files, texts, strict=True)
        ]
    finally:
        gc.enable()
