"""Standard output and error that never end a command: what cannot be written is remembered."""

import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from metasim.terminal.text import encodable


class Guard:
    """A text stream whose failures wait until the work is done.

    Args:
        stream: what it writes to; None, of a process that has none, drops everything.

    Attributes:
        lost: the error after which nothing more was written; None: all is well.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write text, in ASCII where the encoding lacks a character; never raises OSError."""
        if self._stream is not None and self.lost is None:
            try:
                self._stream.write(encodable(text, self.encoding))
            except OSError as error:
                self._lose(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what is buffered; never raises OSError."""
        if self._stream is not None and self.lost is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    @property
    def encoding(self) -> str:
        """Name of the encoding."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def gone(self) -> bool:
        """Whether nothing was lost but a reader, who wants no more."""
        return self.lost is not None and self.lost.errno in (errno.EPIPE, errno.EINVAL)

    def _lose(self, error: OSError) -> None:
        self.lost = error
        # what is still buffered would be tried again, and complained about, at the very end
        with suppress(OSError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, cast(TextIO, self._stream).fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        if self._stream is None:
            if name == "fileno":
                raise io.UnsupportedOperation("no such stream")
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[tuple[Guard, Guard]]:
    """Stand guards before standard output and error; gives the two."""
    before = sys.stdout, sys.stderr
    out, err = Guard(sys.stdout), Guard(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def hold_descriptors() -> None:
    """Fill closed descriptors 0 to 2: a table opened next would get one, and messages in it."""
    while True:
        free = os.open(os.devnull, os.O_RDWR)
        if free > 2:
            os.close(free)
            return
        os.set_inheritable(free, True)
