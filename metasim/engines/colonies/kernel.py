"""`kernel`: numba's compiler with a cache that no edit of the source can leave stale.

Numba checks only the file of the compiled function itself, not of the functions it calls. The
cache folder therefore carries a hash of every source that is compiled into the engine. It lies in
the user's cache folder: a read-only installation compiles once too. The cache is a convenience:
where it cannot be read or written the engine is compiled in memory, and a warning says so once.
"""

import hashlib
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import numba
from numba.core.caching import FunctionCache

from metasim import terms
from metasim.engines import record
from metasim.errors import MetasimWarning
from metasim.law import arrays, clinic, detection, eligibility, growth, nodes, sampling, sizes

_OTHERS = (arrays, clinic, detection, eligibility, growth, nodes, sampling, sizes, record, terms)
_SOURCES = sorted([*Path(__file__).parent.glob("*.py"), *(Path(str(m.__file__)) for m in _OTHERS)])


def _cache_folder() -> Path | None:
    """Where compiled functions are kept; None: nobody knows the user's home."""
    if asked := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(asked)
    digest = hashlib.sha256(f"{numba.__version__} {Path(__file__).parent}".encode())
    for source in _SOURCES:
        digest.update(source.read_bytes())
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(base) / "metasim" / f"kernels-{digest.hexdigest()[:16]}"


CACHE = _cache_folder()
_njit: Any = numba.njit  # its types leave out some of its options
_config: Any = numba.config  # type: ignore[attr-defined]
_typeof: Any = numba.typeof
_compiling = threading.RLock()
_here = threading.Event()
_INNER = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def allocating(function: Callable[..., Any]) -> Any:
    """Compile a function with numba, cached on disk (in memory only where that is impossible)."""
    return _cached(function, _nrt=True, no_cfunc_wrapper=True)  # _nrt: else as its caller


def entry(function: Callable[..., Any]) -> Any:
    """As `kernel`, for what Python calls: other threads run meanwhile."""
    return _cached(function, _nrt=False, no_cfunc_wrapper=True, nogil=True)


def kernel(function: Callable[..., Any]) -> Any:
    """As `allocating`, for functions that make no arrays: these need not count references.

    Counting them for every array of a call costs more than drawing a random number.
    """
    return _cached(function, **_INNER)


def _cached(function: Callable[..., Any], **options: bool) -> Any:
    compiler = _njit(error_model="numpy", **options)(function)
    if _config.DISABLE_JIT or not _usable():
        return compiler
    before, _config.CACHE_DIR = _config.CACHE_DIR, str(CACHE)
    try:
        compiler._cache = _Cache(function)  # as numba's `enable_caching` does
    finally:
        _config.CACHE_DIR = before
    return compiler


_FunctionCache: Any = FunctionCache


class _Cache(_FunctionCache):  # type: ignore[misc]
    """Numba's cache; what cannot be read or written there is compiled in memory."""

    @contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # a full disk, say
            self.disable()
            _warn(error.strerror or str(error))
        except Exception:  # a damaged file: compiled and saved anew
            with suppress(OSError):
                self.flush()


@cache
def _usable() -> bool:
    """Whether files can be made in the cache; warns if not."""
    if CACHE is None:
        _warn("there is no home folder")
        return False
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=CACHE).close()
    except OSError as error:
        _warn(error.strerror or str(error))
        return False
    return True


_troubles: list[str] = []


def _warn(why: str) -> None:
    """Say once that the cache is of no use."""
    _troubles.append(why)
    if len(_troubles) == 1:
        warnings.warn(
            f"the compiled engine cannot be kept in its cache {CACHE or '~/.cache/metasim'} "
            f"({why}); it is compiled in memory, in every run (NUMBA_CACHE_DIR names another "
            "folder)",
            MetasimWarning,
            stacklevel=3,
        )


def inlined(function: Callable[..., Any]) -> Any:
    """As `kernel`, for the innermost functions: inlined where they are called."""
    return _njit(forceinline=True, error_model="numpy", **_INNER)(function)


def merged(function: Callable[..., Any]) -> Any:
    """As `inlined`, for functions that return a part of an array, or are called in one place only.

    They become a part of their caller before it is compiled, and are not compiled themselves.
    """
    return _njit(inline="always", error_model="numpy")(function)


def ready(function: Any, *examples: Any) -> Any:
    """A kernel compiled (or loaded from the cache) for arguments like these, and for no others.

    Calling it spares numba the look at every argument, which takes as long as a hundred draws.
    Compiled at LLVM's second level, without vectorized loops: a quarter sooner, and as fast here.
    """
    if _config.DISABLE_JIT:
        _here.set()
        return function
    signature = tuple(_typeof(example) for example in examples)
    with _compiling:
        before = _config.OPT, _config.LOOP_VECTORIZE
        _config.OPT, _config.LOOP_VECTORIZE = type(before[0])(2), 0
        try:
            return function.compile(signature)
        finally:
            _here.set()
            _config.OPT, _config.LOOP_VECTORIZE = before


COMPILING: Final = "compiling the engine (first run on this machine only, up to half a minute) ..."
"""What to say before a run if it is not `compiled`."""


def compiled() -> bool:
    """Whether the engine has been compiled in this process, or on this machine before."""
    if _here.is_set():
        return True
    return CACHE is not None and any(CACHE.rglob("colonies_*/*.nbi"))
