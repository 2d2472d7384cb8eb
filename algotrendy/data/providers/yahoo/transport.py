"""Requests that look like a browser's: Yahoo refuses others. curl_cffi, which comes with yfinance, makes them."""

from __future__ import annotations

from typing import Any

import httpx


class BrowserTransport(httpx.AsyncBaseTransport):
    """Sends requests through curl_cffi with the handshake and the headers of a browser."""

    def __init__(self) -> None:
        from curl_cffi.requests import AsyncSession

        self._session: Any = AsyncSession(impersonate="chrome")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; what curl reports is told in httpx's words."""
        from curl_cffi.requests import exceptions

        content = await request.aread()
        wait = (request.extensions.get("timeout") or {}).get("read")
        cookies = {name: value for name, value in request.headers.items() if name.lower() == "cookie"}
        try:
            answer = await self._session.request(
                request.method, str(request.url), headers=cookies, data=content or None, timeout=wait,
                allow_redirects=False, discard_cookies=True,
            )  # fmt: skip
        except exceptions.Timeout as e:
            raise httpx.ReadTimeout(str(e), request=request) from e
        except (exceptions.ConnectionError, exceptions.DNSError) as e:
            raise httpx.ConnectError(str(e), request=request) from e
        except exceptions.RequestException as e:
            raise httpx.RemoteProtocolError(str(e), request=request) from e
        gone = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in gone]
        return httpx.Response(answer.status_code, headers=headers, content=answer.content, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()
