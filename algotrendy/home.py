"""Where algotrendy keeps its caches, and how a file is written whole.

Light on purpose: kernels ask before anything heavy is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path

from algotrendy.errors import InputError


def default_home() -> Path:
    """Return the folder for caches: `ALGOTRENDY_HOME`, else `algotrendy` in the user's cache folder.

    The folder is named, not created.
    """
    chosen = os.environ.get("ALGOTRENDY_HOME")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "algotrendy"


OFF = frozenset({"off", "false", "no", "0"})
"""Words that switch a setting off."""


def ledger_is_off() -> bool:
    """Return whether the environment switches the trial ledger off: `ALGOTRENDY_LEDGER=off`."""
    return os.environ.get("ALGOTRENDY_LEDGER", "").strip().lower() in OFF


RESEARCH_FOLDER = ".algotrendy"
"""A folder of this name makes the folder that holds it a research folder, as `.git` makes a repository."""


def research_home() -> Path:
    """Return the folder for what belongs to one's research: that of the research folder, else that for caches.

    The research folder is the working directory, or the nearest folder above it, that holds a folder `.algotrendy`. The
    folder is named, not created.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / RESEARCH_FOLDER).is_dir():
            return folder / RESEARCH_FOLDER
    return default_home()


def ledger_address(place: bool | str = True) -> str:
    """Return the address of the database of a ledger.

    Parameters
    ----------
    place : bool or str
        The setting `ledger`: an address, or the path of a file; True: `ledger.db` in the research folder, or beside the
        caches where there is none.

    Examples
    --------
    >>> ledger_address("notes/trials.db")
    'sqlite:///notes/trials.db'
    """
    if isinstance(place, str):
        return place if "://" in place else f"sqlite:///{Path(place).expanduser()}"
    return f"sqlite:///{research_home() / 'ledger.db'}"


def write_whole(target: Path, content: bytes) -> Path:
    """Write a file so that it is there whole or not at all; an existing one is replaced.

    Raises
    ------
    InputError
        If the folder does not exist, or `target` is a folder.
    """
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}; create it first, or choose another path")
    if target.is_dir():
        raise InputError(f"{target} is a folder; give the path of a file in it")
    import secrets

    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target
