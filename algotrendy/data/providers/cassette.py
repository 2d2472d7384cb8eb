"""Cassettes: live answers written down as they come, and played again without a network.

A cassette is a file of JSON lines: one that says when it was recorded, then one for each answer. Keys never get into
it: request headers are not written, known secrets and the parameters that carry them are struck out.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import pandas as pd

from algotrendy.data.providers.http import Clock
from algotrendy.data.series import utc_now
from algotrendy.errors import DataError, InputError

__all__ = ["Recorder", "Replayer", "scrubbed"]

STRUCK = "***"
_VERSION = 1
_SECRET_NAMES = frozenset(
    {"apikey", "api_key", "key", "token", "crumb", "signature", "secret", "access_token", "password", "auth"}
)
_OF_THE_WIRE = (b"content-encoding", b"content-length", b"transfer-encoding")
_HEADERS_KEPT = frozenset({"age", "content-type", "date", "retry-after", "link"})


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """Return text with every secret, plain or percent-encoded, struck out.

    Examples
    --------
    >>> scrubbed("https://x.example/a?apiKey=a%2Fb&page=2", ["a/b"])
    'https://x.example/a?apiKey=***&page=2'
    """
    for secret in sorted({form for one in secrets if one for form in (one, quote(one, safe=""), quote(one))}, key=len):
        text = text.replace(secret, STRUCK)
    return text


class Recorder(httpx.AsyncBaseTransport):
    """Sends requests on and writes each answer down.

    Parameters
    ----------
    inner : httpx.AsyncBaseTransport
        What sends them.
    path : path
        A file that is not there yet; its folder is made.
    provider : str
        Whose answers they are.
    secrets : iterable of str
        What must not get into the file.
    clock : callable
        Returns this moment, which is written down too.

    Raises
    ------
    InputError
        If the file is there already: a cassette is never mixed from two recordings.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        path: Path,
        *,
        provider: str,
        secrets: Iterable[str],
        clock: Clock = utc_now,
    ) -> None:
        self._inner, self._path, self._secrets, self._clock = inner, path, tuple(secrets), clock
        self._lock = threading.Lock()
        head = {"cassette": _VERSION, "provider": provider, "recorded_at": clock().isoformat()}
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(head) + "\n")
        except FileExistsError as e:
            raise InputError(f"record={path}: the file is there already; delete it, or name another") from e

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and write the answer down."""
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        await response.aclose()
        kept = {name: value for name, value in response.headers.items() if name.lower() in _HEADERS_KEPT}
        entry = {
            "request": _key(request, self._secrets),
            "status": response.status_code,
            "headers": {name: scrubbed(value, self._secrets) for name, value in kept.items()},
            **_body(content, self._secrets),
            "at": self._clock().isoformat(),
        }
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        whole = [pair for pair in response.headers.raw if pair[0].lower() not in _OF_THE_WIRE]
        return httpx.Response(response.status_code, headers=whole, content=content, request=request)

    async def aclose(self) -> None:
        """Close what sends."""
        await self._inner.aclose()


class Replayer(httpx.AsyncBaseTransport):
    """Answers from a cassette; the same request again gets the next of its answers, at last the last one.

    Parameters
    ----------
    path : path
        A file that a `Recorder` wrote.
    secrets : iterable of str
        Those of the settings in use, so that requests match whatever the key.

    Raises
    ------
    DataError
        If there is no such file or it is no cassette; when played: if it holds no answer to a request.
    """

    def __init__(self, path: Path, secrets: Iterable[str] = ()) -> None:
        self._path, self._secrets = path, tuple(secrets)
        self._lock = threading.Lock()
        self._answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._served: dict[str, int] = defaultdict(int)
        head, *entries = _lines(path)
        if head.get("cassette") != _VERSION:
            raise DataError(f"{path} is no cassette of version {_VERSION}; record it again with record=...")
        self._at = pd.Timestamp(head["recorded_at"])
        for entry in entries:
            self._answers[entry["request"]].append(entry)

    def now(self) -> pd.Timestamp:
        """Return when the newest answer played so far was recorded: that moment is the present of a cassette."""
        return self._at

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded answer."""
        key = _key(request, self._secrets)
        with self._lock:
            answers = self._answers.get(key)
            if not answers:
                raise DataError(
                    f"the cassette {self._path.name} holds no answer to {key}; it answers"
                    f" {', '.join(sorted(self._answers)) or 'nothing'}: ask for the same as was recorded, or record"
                    " again"
                )
            entry = answers[min(self._served[key], len(answers) - 1)]
            self._served[key] += 1
            self._at = max(self._at, pd.Timestamp(entry["at"]))
        body = base64.b64decode(entry["base64"]) if "base64" in entry else entry["text"].encode()
        return httpx.Response(entry["status"], headers=entry["headers"], content=body, request=request)


def _key(request: httpx.Request, secrets: Iterable[str]) -> str:
    """Return what tells a request from others: method, path and parameters in order, without host and secrets."""
    parts = urlsplit(str(request.url))
    pairs = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_secret(name)]
    query = f"?{urlencode(sorted(pairs))}" if pairs else ""
    body = f" {request.content.decode(errors='replace')}" if request.content else ""
    return scrubbed(f"{request.method} {parts.path or '/'}{query}{body}", secrets)


def _is_secret(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_NAMES


def _body(content: bytes, secrets: Iterable[str]) -> Mapping[str, str]:
    try:
        return {"text": scrubbed(content.decode("utf-8"), secrets)}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as e:
        raise DataError(f"replay={path}: the cassette cannot be read: {e}; record it first with record=...") from e
    except ValueError as e:
        raise DataError(f"replay={path}: the file is no cassette of JSON lines: {e}") from e
    if not lines or not all(isinstance(line, dict) for line in lines):
        raise DataError(f"replay={path}: the file is no cassette; record one with record=...")
    return lines
