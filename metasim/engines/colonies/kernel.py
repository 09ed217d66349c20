"""`kernel`: numba's compiler with a cache that no edit of the source can leave stale.

Numba checks only the file of the compiled function itself, not of the functions it calls. The
cache folder therefore carries a hash of every source that is compiled into the engine. It lies in
the user's cache folder: a read-only installation compiles once too.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

from metasim import terms
from metasim.law import growth, plan

Part = TypeVar("Part", bound=tuple[Any, ...])

_OTHERS = (growth, plan, terms)
_SOURCES = sorted([*Path(__file__).parent.glob("*.py"), *(Path(str(m.__file__)) for m in _OTHERS)])


def _cache_folder() -> Path:
    digest = hashlib.sha256(f"{numba.__version__} {Path(__file__).parent}".encode())
    for source in _SOURCES:
        digest.update(source.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "metasim" / f"kernels-{digest.hexdigest()[:16]}"


CACHE = _cache_folder()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function with numba, cached on disk (in memory only where that is impossible)."""
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    folder = os.environ.get("NUMBA_CACHE_DIR") or str(CACHE)
    numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder of the cache can be written
        return numba.njit(error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


def inlined(function: Callable[..., Any]) -> Any:
    """As `kernel`, for the innermost functions: inlined where they are called.

    A call between compiled functions copies every array of its named tuples.
    """
    return numba.njit(forceinline=True, error_model="numpy")(function)


def plain(part: Part) -> Part:
    """A named tuple with its arrays writable and in C order.

    The compiler takes arrays of another layout for another type, and would compile anew.
    """
    return type(part)(*(np.array(x, order="C") if isinstance(x, np.ndarray) else x for x in part))


def compiled() -> bool:
    """Whether the engine has been compiled on this machine before."""
    return any(CACHE.rglob("*.nbi"))
