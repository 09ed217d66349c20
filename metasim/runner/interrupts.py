"""Ctrl-C while compiled code runs."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def interruptible(work: Callable[[], T], stop: NDArray[np.int64]) -> T:
    """Work that runs compiled code, such that Ctrl-C ends it.

    Handlers of signals run in the main thread, and not while it is in compiled code. So there the
    work is done in a thread beside it; in any other thread it is done at once.

    Args:
        work: ends soon after `stop` is raised.
        stop: (1,) set to 1 by Ctrl-C.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the work has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1) as beside:
        try:
            return beside.submit(work).result()
        except BaseException:
            stop[0] = 1
            raise
