"""Ctrl-C while compiled code runs."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held(compiled: bool) -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back; calling what this yields lets it take effect, as does the end.

    A KeyboardInterrupt raised while compiled code packs its results shows as a SystemError, or ends
    the interpreter. In a thread no handler of signals runs.

    Args:
        compiled: False: do nothing.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    handler = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if not (compiled and here and callable(handler)):
        yield lambda: None
        return
    pressed: list[tuple[int, FrameType | None]] = []

    def let_through() -> None:
        if pressed:
            handler(*pressed.pop())

    signal.signal(signal.SIGINT, lambda *moment: pressed.append(moment))
    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, handler)
    let_through()
