"""The one decorator of all kernels: compiled once, cached on disk, free of the interpreter lock.

Numba keys a cached kernel by its own source file and does not notice when a kernel that it calls, in another file,
has changed. So the cache folder is named by a hash over every file of this package: one changed letter anywhere in
`kernels/` gives a fresh folder. Where no folder can be written, kernels are compiled anew in each process.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numba

from algotrendy.home import default_home

_F = TypeVar("_F", bound=Callable[..., Any])


def _start_without_linear_algebra() -> None:
    """Load what Numba needs for its first call without `scipy.linalg`, an eighth of a second of a fresh process.

    Numba imports `scipy.linalg` once, only to learn that it is there. Whether SciPy is installed can be told without
    importing it; a kernel that does use linear algebra makes Numba import and check it then, as it always does. Where
    Numba has changed, nothing is done, and it starts as slowly as by itself. Reasons in ADR 0010.
    """
    if "numba.np.arraymath" in sys.modules or "scipy.linalg" in sys.modules or find_spec("scipy") is None:
        return
    from numba.np import linalg

    check: Any = getattr(linalg, "ensure_blas", None)
    if check is None:
        return
    linalg.ensure_blas = lambda: None
    try:
        user: Any = import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = check
    user.ensure_blas = check


_start_without_linear_algebra()


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


class Entry:
    """A kernel that is called by its address from what is compiled in each process: compiled when that is needed.

    Parameters
    ----------
    function : callable
        What is compiled.
    signature : object
        Of Numba.
    """

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        self._function, self._signature = function, signature

    @cached_property
    def ctypes(self) -> Any:
        """What compiled code calls."""
        folder = cache_folder()
        config: Any = numba.config
        before = config.CACHE_DIR
        config.CACHE_DIR = folder or before
        try:
            make: Any = numba.cfunc
            self._compiled = make(self._signature, cache=folder is not None, error_model="numpy")(self._function)
        finally:
            config.CACHE_DIR = before
        return self._compiled.ctypes


def entry(signature: Any) -> Callable[[Callable[..., Any]], Entry]:
    """Make a function an `Entry`."""
    return lambda function: Entry(function, signature)
