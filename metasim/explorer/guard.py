"""What every request passes: the token, the Host and Origin headers, the size of its body.

The explorer listens on this machine only, but every page of a browser on this machine can send
requests there. So the address holds a secret token; names that another site could point at this
machine are refused (DNS rebinding), and so are requests that another site's page makes.
"""

import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from metasim.explorer.limits import MOST_BODY_BYTES, MOST_UPLOAD_BYTES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HOST: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?")
LARGE: Final = "/results-file"
"""End of the one path that takes files of results."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets through what the explorer's own page asks for, and nothing else.

    Args:
        app: what is guarded; it sees paths without the token.
        token: begins every path.
    """

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets
            await send({"type": "websocket.close", "code": 1008})
            return
        refused = self._refusal(scope)
        if refused is not None:
            await _refuse(send, *refused)
            return
        inside = dict(scope)
        inside["path"] = "/" + scope["path"].split("/", 2)[2]
        inside["raw_path"] = inside["path"].encode()
        most = MOST_UPLOAD_BYTES if inside["path"].endswith(LARGE) else MOST_BODY_BYTES
        await _Limited(self._app, most)(inside, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and message; None: it is let through."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        hosts = [value.decode("latin-1") for value in headers.get(b"host", [])]
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            return 403, "this address is not one of the explorer's"
        origins = [value.decode("latin-1") for value in headers.get(b"origin", [])]
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return 403, "requests from other sites are refused"
        sites = headers.get(b"sec-fetch-site", [])
        reads = scope["method"] in ("GET", "HEAD")
        opens = reads and headers.get(b"sec-fetch-mode") == [b"navigate"]
        if not opens and any(site not in (b"same-origin", b"none") for site in sites):
            return 403, "requests from other sites are refused"
        parts = scope["path"].encode("utf-8", "surrogateescape").split(b"/", 2)
        if len(parts) < 3 or not hmac.compare_digest(parts[1], self._token):
            return 403, "the address lacks the token that metasim explore has printed"
        return None


class _Limited:
    """Hands on the body of a request up to a size.

    Args:
        app: takes it.
        most: bytes.
    """

    def __init__(self, app: App, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
        if any(not value.isdigit() or int(value) > self._most for value in lengths):
            await _refuse(send, 413, f"more than {self._most:,} bytes are not taken")
            return
        taken, answered, large = 0, False, False

        async def counted() -> Message:
            nonlocal taken, large
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                large = True
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            if not large:  # what the application says of being interrupted is of no interest
                answered = True
                await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooLargeError:
            if not answered:
                await _refuse(send, 413, f"more than {self._most:,} bytes are not taken")


class _TooLargeError(Exception):
    """A body that is longer than was said, or than is taken."""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    head = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"),
            (b"content-length", str(len(body)).encode())]  # fmt: skip
    sending = _with_headers(send)
    await sending({"type": "http.response.start", "status": status, "headers": head})
    await sending({"type": "http.response.body", "body": body})
