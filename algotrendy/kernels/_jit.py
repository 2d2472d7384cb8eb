"""The one decorator of all kernels: compiled once, cached on disk, free of the interpreter lock.

Numba keys a cached kernel by its own source file and does not notice when a kernel that it calls, in another file,
has changed. So the cache folder is named by a hash over every file of this package: one changed letter anywhere in
`kernels/` gives a fresh folder. Where no folder can be written, kernels are compiled anew in each process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from algotrendy.home import default_home

_F = TypeVar("_F", bound=Callable[..., Any])


def source_hash(folder: Path) -> str:
    """Return a hash over the names and the bytes of all Python files in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("**/*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> str | None:
    """Return the folder for compiled kernels, or None where none can be written."""
    folder = default_home() / "kernels" / f"{source_hash(Path(__file__).parent)}-numba{numba.__version__}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


def jit(function: _F | None = None, **options: Any) -> Any:
    """Compile `function` with Numba: cached, without the interpreter lock, IEEE arithmetic unless asked otherwise.

    Use it bare (`@jit`) or with options of `numba.njit` (`@jit(fastmath={"contract"})`).
    """

    def decorate(python_function: _F) -> _F:
        folder = cache_folder()
        config: Any = numba.config
        before = config.CACHE_DIR
        # Numba reads the folder while it decorates; a user's own kernels keep theirs.
        config.CACHE_DIR = folder or before
        try:
            kernel: _F = numba.njit(nogil=True, cache=folder is not None, **options)(python_function)
        finally:
            config.CACHE_DIR = before
        return kernel

    return decorate if function is None else decorate(function)
