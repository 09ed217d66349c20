"""Ctrl-C while compiled code runs."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_own = threading.local()


def use_flag(stop: NDArray[np.int64]) -> None:
    """Have compiled code in this thread look at a flag: set to 1, it ends."""
    _own.stop = stop


def flag() -> NDArray[np.int64]:
    """(1,) the flag of this thread, or one of nobody's."""
    stop: NDArray[np.int64] = getattr(_own, "stop", np.zeros(1, np.int64))
    return stop


def interruptible(work: Callable[[], T], stop: NDArray[np.int64]) -> T:
    """Work that runs compiled code, such that Ctrl-C ends it.

    Handlers of signals run in the main thread, and not while it is in compiled code. So there the
    work is done in a thread beside it; in any other thread it is done at once. What the handler
    of Ctrl-C raises is raised when the work has ended, lest it be lost where Python ignores it.

    Args:
        work: ends soon after `stop` is raised.
        stop: (1,) set to 1 by Ctrl-C.

    Raises:
        KeyboardInterrupt: or what else the handler of Ctrl-C raises; the work has ended.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        return work()
    handle: Callable[[int, FrameType | None], object] = handler
    raised: list[BaseException] = []

    def hold(number: int, frame: FrameType | None) -> None:
        try:
            handle(number, frame)
        except BaseException as error:
            raised.append(error)
            stop[0] = 1

    signal.signal(signal.SIGINT, hold)
    try:
        return _beside(work, stop)
    finally:
        signal.signal(signal.SIGINT, handler)
        if raised:
            raise raised[0]


def _beside(work: Callable[[], T], stop: NDArray[np.int64]) -> T:
    """Do work in a thread and wait for it."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="metasim-chunk")
    try:
        thread.start()
        thread.join()
    except BaseException:  # the handler of another signal raised
        stop[0] = 1
        thread.join()
        raise
    if failed:
        raise failed[0]
    return done[0]
