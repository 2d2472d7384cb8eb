"""A file that long work writes its results to as they come, so that a killed run goes on where it was.

The file is a list of records. Each has its length and checksum, is written in one piece and flushed to the disk, so a
kill at any moment leaves whole records and at most one torn one at the end, which is cut off when the file is opened
again. The first record says what the results belong to; a file of anything else is refused.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from algotrendy.errors import CheckpointInUse, DataError, InputError

_MAGIC = b"algotrendy-journal/1\n"
_HEAD = struct.Struct("<QI")


class Record(NamedTuple):
    """One record: plain JSON values, and bytes for arrays."""

    meta: dict[str, Any]
    data: bytes = b""


class Journal:
    """The results of one piece of work in a file: those that are there already, and those that come.

    Parameters
    ----------
    path : str or Path
        Made if it is not there. Its folder must exist.
    belongs_to : mapping of str to JSON value
        What the results belong to: name of a part (strategy, bars, ...) to its hash or value.
    what : str
        The work in two words, for messages: "walk-forward".

    Attributes
    ----------
    records : list of Record
        What was in the file.

    Raises
    ------
    InputError
        If the file belongs to something else (the message names the parts that differ), another run is writing to it,
        or there is no such folder.
    DataError
        If the file is not a journal.

    Examples
    --------
    >>> with Journal("run.ckpt", {"bars": "a1"}, "sweep") as journal:
    ...     journal.append(Record({"n": 1}, b"123"))
    >>> with Journal("run.ckpt", {"bars": "a1"}, "sweep") as journal:
    ...     journal.records
    [Record(meta={'n': 1}, data=b'123')]
    >>> Journal("run.ckpt", {"bars": "b2"}, "sweep")
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: the checkpoint run.ckpt is of another sweep: bars differs; give another path, ...
    """

    def __init__(self, path: str | Path, belongs_to: Mapping[str, Any], what: str) -> None:
        self.path = Path(path).expanduser()
        if not self.path.parent.is_dir():
            raise InputError(f"there is no folder {self.path.parent} for the checkpoint; make it, or give another path")
        if self.path.is_dir():
            raise InputError(f"the checkpoint {self.path} is a folder; give the path of a file")
        self._file: BinaryIO = self.path.open("a+b")
        with ExitStack() as refused:
            refused.callback(self._file.close)
            _lock(self._file, self.path)
            self.records = self._opened(json.loads(json.dumps(belongs_to)), what)
            refused.pop_all()

    def append(self, record: Record) -> None:
        """Add a record and see it to the disk."""
        self._file.write(_packed(record))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _opened(self, belongs_to: dict[str, Any], what: str) -> list[Record]:
        self._file.seek(0)
        content = self._file.read()
        if not content.startswith(_MAGIC[: len(content)]):
            raise DataError(f"{self.path.name} is not a checkpoint; give another path, or the file of an earlier run")
        records, whole = _unpacked(content)
        if not records:  # new, or killed before it said what it is of
            self._file.truncate(0)
            self._file.write(_MAGIC)
            self.append(Record(belongs_to))
            return []
        found = records[0].meta
        differing = [name for name in (*belongs_to, *found) if belongs_to.get(name) != found.get(name)]
        if differing:
            raise InputError(
                f"the checkpoint {self.path.name} is of another {what}: {', '.join(dict.fromkeys(differing))} differs; "
                "give another path, or delete the file to begin anew"
            )
        self._file.truncate(whole)
        return records[1:]


def _packed(record: Record) -> bytes:
    meta = json.dumps(record.meta, allow_nan=False, separators=(",", ":")).encode()
    body = struct.pack("<I", len(meta)) + meta + record.data
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _unpacked(content: bytes) -> tuple[list[Record], int]:
    """Return the whole records, and where the last of them ends."""
    records, end = [], len(_MAGIC)
    for body in _bodies(content):
        (size,) = struct.unpack_from("<I", body)
        records.append(Record(json.loads(body[4 : 4 + size]), body[4 + size :]))
        end += _HEAD.size + len(body)
    return records, end


def _bodies(content: bytes) -> Iterator[bytes]:
    at = len(_MAGIC)
    while at + _HEAD.size <= len(content):
        size, checksum = _HEAD.unpack_from(content, at)
        body = content[at + _HEAD.size : at + _HEAD.size + size]
        if len(body) < size or zlib.crc32(body) != checksum:
            return
        yield body
        at += _HEAD.size + size


def _lock(file: BinaryIO, path: Path) -> None:
    """Refuse a second run on the same file, where the system can tell."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not `flock`, which workers would inherit and keep
        except OSError as error:
            raise CheckpointInUse(
                f"another run is writing to the checkpoint {path.name}; wait for it, or give another path"
            ) from error
