"""Scenarios from people who may not open files here: only the catalogue is read.

A scenario can name files: one that it extends, a table of patients. Where it comes over a wire,
these names are not opened but refused. The refusal stands where files are opened, so that no way of
writing a name leads around it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_closed: ContextVar[bool] = ContextVar("closed", default=False)

REFUSED: Final = "files cannot be read from here; only what ships with metasim can be named"
"""What a message says of a name that would be opened."""


@contextmanager
def catalogue_only() -> Iterator[None]:
    """Within, scenarios are built without opening a file that does not ship with metasim."""
    before = _closed.set(True)
    try:
        yield
    finally:
        _closed.reset(before)


def is_closed() -> bool:
    """Whether files of the user's own are refused at present."""
    return _closed.get()
