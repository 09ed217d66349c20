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
from metasim.law import arrays, growth

Part = TypeVar("Part", bound=tuple[Any, ...])

_OTHERS = (arrays, growth, terms)
_SOURCES = sorted([*Path(__file__).parent.glob("*.py"), *(Path(str(m.__file__)) for m in _OTHERS)])


def _cache_folder() -> Path:
    digest = hashlib.sha256(f"{numba.__version__} {Path(__file__).parent}".encode())
    for source in _SOURCES:
        digest.update(source.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "metasim" / f"kernels-{digest.hexdigest()[:16]}"


CACHE = _cache_folder()
_njit: Any = numba.njit  # its types leave out some of its options
_config: Any = numba.config  # type: ignore[attr-defined]
_typeof: Any = numba.typeof
_INNER = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def allocating(function: Callable[..., Any]) -> Any:
    """Compile a function with numba, cached on disk (in memory only where that is impossible)."""
    return _cached(function, _nrt=True, no_cfunc_wrapper=True)  # _nrt: else as its caller


def kernel(function: Callable[..., Any]) -> Any:
    """As `allocating`, for functions that make no arrays: these need not count references.

    Counting them for every array of a call costs more than drawing a random number.
    """
    return _cached(function, **_INNER)


def _cached(function: Callable[..., Any], **options: bool) -> Any:
    before = _config.CACHE_DIR
    _config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR") or str(CACHE)
    try:
        return _njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no folder of the cache can be written
        return _njit(error_model="numpy", **options)(function)
    finally:
        _config.CACHE_DIR = before


def inlined(function: Callable[..., Any]) -> Any:
    """As `kernel`, for the innermost functions: inlined where they are called."""
    return _njit(forceinline=True, error_model="numpy", **_INNER)(function)


def view(function: Callable[..., Any]) -> Any:
    """As `inlined`, for functions that return a part of an array."""
    return _njit(inline="always", error_model="numpy")(function)


def plain(part: Part) -> Part:
    """A named tuple with its arrays writable and in C order.

    The compiler takes arrays of another layout for another type, and would compile anew.
    """
    return type(part)(*(np.array(x, order="C") if isinstance(x, np.ndarray) else x for x in part))


def ready(function: Any, *examples: Any) -> Any:
    """A kernel compiled (or loaded from the cache) for arguments like these, and for no others.

    Calling it spares numba the look at every argument, which takes as long as a hundred draws.
    Compiled at LLVM's second level, without vectorized loops: a quarter sooner, and as fast here.
    """
    if _config.DISABLE_JIT:
        return function
    signature = tuple(_typeof(example) for example in examples)
    before = _config.OPT, _config.LOOP_VECTORIZE
    _config.OPT, _config.LOOP_VECTORIZE = type(before[0])(2), 0
    try:
        return function.compile(signature)
    finally:
        _config.OPT, _config.LOOP_VECTORIZE = before


def compiled() -> bool:
    """Whether the engine has been compiled on this machine before."""
    return any(Path(os.environ.get("NUMBA_CACHE_DIR") or CACHE).rglob("colonies_*/*.nbi"))
