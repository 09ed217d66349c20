"""Ctrl-C while compiled code runs."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held(compiled: bool) -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back; calling what this yields lets it take effect, as does the end.

    A KeyboardInterrupt raised while compiled code packs its results shows as a SystemError, or ends
    the interpreter. A handler that raises nothing needs no holding, and in a thread none runs.

    Args:
        compiled: False: do nothing.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    here = threading.current_thread() is threading.main_thread()
    raising = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not (compiled and here and raising):
        yield lambda: None
        return
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True

    def let_through() -> None:
        if pressed:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    let_through()
