"""The server of the explorer: a page, its files, and what it asks for."""

import secrets
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from metasim.errors import MetasimError, OptionError
from metasim.explorer.limits import FIRST_PATIENTS
from metasim.scenario.catalogue import RUNNABLE, SHIPPED
from metasim.terms import install_line

if TYPE_CHECKING:
    from metasim.explorer.guard import App
    from metasim.explorer.sessions import Base

USUAL_PORT: Final = 8350
_MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_MOST_CONNECTIONS: Final = 400


def usual_scenario() -> str:
    """The scenario of a page for which none is named."""
    return "population" if "population" in SHIPPED.names(RUNNABLE) else "luminal_a"


class Explorer:
    """The explorer as an application for a server.

    Args:
        base: the scenario of a page that names none.
        changes: key path -> value, that such a page starts with.
        patients: of such a page; None: those of the scenario.
        token: begins every path; None: a new one.

    Attributes:
        app: the ASGI application.
        token: begins every path.
        sessions: the pages that are open.
    """

    def __init__(
        self,
        base: "Base",
        changes: Mapping[str, Any] | None = None,
        patients: int | None = None,
        token: str | None = None,
    ) -> None:
        from starlette.applications import Starlette

        from metasim.explorer.desk import Desk
        from metasim.explorer.guard import Guard
        from metasim.explorer.jobs import Pool
        from metasim.explorer.routes import TABLE
        from metasim.explorer.sessions import Sessions

        self.token = token or secrets.token_urlsafe(16)
        self.pool = Pool()
        self.sessions = Sessions(self.pool)
        start = {"base": base, "changes": dict(changes or {}), "patients": patients}
        routes = [*_page_routes(), *Desk(self.sessions, start).routes(TABLE)]
        self.app: App = Guard(Starlette(routes=routes), self.token)
        self._base = base

    def warm_up(self) -> None:
        """Load what a first run needs, and run the first patients, before they are asked for."""
        from metasim.explorer.jobs import Job

        pinned = self.sessions.default(self._base)
        if pinned.cohort is None or pinned.cohort.done:
            return
        asked = min(pinned.asked, FIRST_PATIENTS)
        self.pool.submit(Job(pinned.cohort, asked))
        import metasim.results.plots
        import metasim.results.survival  # noqa: F401

    def close(self) -> None:
        """End all runs; files that were uploaded are removed."""
        self.sessions.close_all()
        self.pool.close()


def _page_routes() -> list[Any]:
    """The page and its files, read once: no path of a request is ever one of the file system."""
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    folder = resources.files("metasim.explorer") / "page"
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        media = _MEDIA.get(name.rpartition(".")[2])
        if name not in files or media is None:
            return Response("there is no such page\n", 404, media_type="text/plain")
        return Response(files[name], media_type=media)

    return [Route("/", page), Route("/page/{name}", page)]


def serve(
    base: "Base",
    changes: Mapping[str, Any],
    patients: int | None,
    *,
    port: int | None = None,
    say: Callable[[str], None],
    opened: Callable[[str], object] | None = None,
) -> None:
    """Serve the explorer on this machine until Ctrl-C.

    Args:
        base: the scenario of a page that names none.
        changes: key path -> value, that such a page starts with.
        patients: of such a page.
        port: None: the usual one, or any other if that is taken; 0: any.
        say: takes the address.
        opened: takes it too, once the page can be opened: a browser.

    Raises:
        OptionError: the port cannot be had, or the extra is not installed.
    """
    import uvicorn

    explorer = Explorer(base, changes, patients)
    listening = listen(port)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/{explorer.token}/"
    config = uvicorn.Config(
        explorer.app, log_level="warning", access_log=False, server_header=False, lifespan="off",
        limit_concurrency=_MOST_CONNECTIONS, timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    server = uvicorn.Server(config)

    def begin() -> None:
        say(address)
        if opened is not None:
            opened(address)
        try:
            explorer.warm_up()
        except MetasimError as error:
            print(f"metasim: {error}", file=sys.stderr)

    threading.Thread(target=begin, name="explorer-begin", daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        explorer.close()
        listening.close()


def listen(port: int | None) -> socket.socket:
    """A socket that listens on this machine only.

    Args:
        port: None: the usual one, or any other if that is taken; 0: any.

    Raises:
        OptionError: the port cannot be had.
    """
    for one in (USUAL_PORT, 0) if port is None else (port,):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", one))
            listening.listen(128)
        except (OSError, OverflowError) as error:
            listening.close()
            if port is not None:
                why = getattr(error, "strerror", None) or error
                raise OptionError(
                    f"--port {port}: {why}; another may be free, 0 takes any"
                ) from None
            continue
        return listening
    raise OptionError("no port can be had on this machine")


def check_installed() -> None:
    """Refuse to start without the web framework.

    Raises:
        OptionError: the extra is not installed.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise OptionError(
            f"metasim explore needs a web server: {install_line('explore')}"
        ) from None
