"""The desk at which the page asks: requests read, work done in threads, mistakes said in words."""

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metasim.errors import MetasimError, OptionError, ScenarioError
from metasim.explorer import views
from metasim.explorer.sessions import Session, Sessions

Work = Callable[["Asked"], Any]


class Asked:
    """A request, read: its session, path, query and body.

    Attributes:
        sessions: all pages.
        start: what the explorer was started with.
        session: the page that asks.
        path: parts of the path that vary.
        query: of the address.
        body: bytes that were sent.
    """

    def __init__(
        self, desk: "Desk", session: Session | None, request: Request, body: bytes
    ) -> None:
        self.sessions, self.start = desk.sessions, desk.start
        self._session = session
        self.path = request.path_params
        self.query = request.query_params
        self.body = body

    @property
    def session(self) -> Session:
        """The page that asks."""
        assert self._session is not None
        return self._session

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            OptionError: it is none.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise OptionError("the request is not a JSON object")
        return found

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number of the body.

        Raises:
            OptionError: it is missing, or out of range.
        """
        value = self.json.get(name)
        if type(value) is not int or not low <= value <= high:
            raise OptionError(f"{name} has to be a whole number from {low:,} to {high:,}")
        return value


class Desk:
    """Answers requests.

    Args:
        sessions: all pages.
        start: scenario, changes and patients of a page that names none.
    """

    def __init__(self, sessions: Sessions, start: dict[str, Any]) -> None:
        self.sessions = sessions
        self.start = start

    def routes(self, table: Sequence[tuple[str, str, Work]]) -> list[Route]:
        """What can be asked for.

        Args:
            table: method, path and what is done.
        """
        return [
            Route(path, partial(self._call, work), methods=[method]) for method, path, work in table
        ]

    async def _call(self, work: Work, request: Request) -> Response:
        """Do what is asked in a thread, and say what is wrong in the words of the command line."""
        session = None
        if "session" in request.path_params:
            session = self.sessions.find(request.path_params["session"])
            if session is None:
                return JSONResponse({"gone": True, "message": "this page was closed"}, 410)
        body = await request.body()
        asked = Asked(self, session, request, body)
        try:
            found = await run_in_threadpool(work, asked)
        except ScenarioError as error:
            return JSONResponse(refusal(error), 422)
        except MetasimError as error:
            return JSONResponse({"message": str(error), "mistakes": []}, 422)
        except MemoryError:
            return JSONResponse({"message": "not enough memory", "mistakes": []}, 422)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            said = f"a fault of metasim: {type(error).__name__}: {error}"
            return JSONResponse({"message": said, "mistakes": []}, 500)
        return found if isinstance(found, Response) else JSONResponse(views.plain(found))


def refusal(error: ScenarioError) -> dict[str, Any]:
    """A scenario's mistakes, each with its key."""
    mistakes = [
        {"key": one.key, "text": str(one), "message": one.message, "hint": one.hint,
         "place": one.place}
        for one in error.mistakes
    ]  # fmt: skip
    return {"message": str(error), "mistakes": mistakes}
