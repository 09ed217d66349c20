"""One writer at a time: a lock of the operating system, or a file that marks who writes.

Some file systems (of clusters, containers, shared folders) know no locks. There a marker file is
made that only one run can make; it is as safe, but stays behind when a run is killed. A marker
whose process has ended on this machine is taken over, that of another machine is not.
"""

import errno
import warnings
from pathlib import Path
from typing import Final, Protocol

from metasim.errors import MetasimWarning, ResultsError

_NO_LOCKS: Final = {
    getattr(errno, name)
    for name in ("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "ENOTTY")
    if hasattr(errno, name)
}


class Lock(Protocol):
    """What is held."""

    def release(self, force: bool = False) -> None:
        """Let it go."""


def locked(path: Path, folder: Path) -> Lock:
    """Take the lock of a folder that is being written; it is free again however the run ends.

    Args:
        path: file to lock; left where it is.
        folder: what is written, for messages.

    Raises:
        ResultsError: another run holds it.
        OSError: the file cannot be written.
    """
    from filelock import FileLock, SoftFileLock, Timeout

    lock: Lock
    marker = path.with_name(f"{path.name}.marker")
    try:
        lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)
        lock.acquire()
    except Timeout:
        raise ResultsError(f"{folder} is being written by another run") from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        lock = SoftFileLock(marker, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise ResultsError(
                f"{folder} is being written by another run; if that has ended for certain (on "
                f"another machine, say), remove {marker}"
            ) from None
        warnings.warn(
            f"{folder}: the file system has no locks ({error}); {marker.name} marks that the "
            "folder is being written",
            MetasimWarning,
            stacklevel=2,
        )
    return lock
