"""Where algotrendy keeps its caches. Light on purpose: kernels ask before anything heavy is loaded."""

from __future__ import annotations

import os
from pathlib import Path


def default_home() -> Path:
    """Return the folder for caches: `ALGOTRENDY_HOME`, else `algotrendy` in the user's cache folder.

    The folder is named, not created.
    """
    chosen = os.environ.get("ALGOTRENDY_HOME")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "algotrendy"
