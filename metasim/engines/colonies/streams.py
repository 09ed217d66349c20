"""The generators that compiled code draws from, set to the stream of one patient after another.

A generator costs as much to make as a patient to simulate, so there are two for a chunk, and the
words of numpy's PCG64 are written into their states. Where those lie, and in which order, is found
out by trying.
"""

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_WORD = (1 << 64) - 1


class Streams(NamedTuple):
    """Two generators, the memory of their states, and the states of all patients of a chunk."""

    rng: Any
    rng_doomed: Any
    now: Words  # (4,) memory of the state of `rng`
    now_doomed: Words
    of_patients: Words  # (P, 4) in the order of that memory
    of_patients_doomed: Words  # (P or 0, 4)


def streams_of(states: Words, states_doomed: Words) -> Streams:
    """Generators for the patients of a chunk.

    Args:
        states: (P, 4) state (high and low word) and increment of each patient's PCG64.
        states_doomed: (P, 4), of their second streams; (0, 4): there are none.
    """
    rng, rng_doomed = generator(), generator()
    order = _order()
    return Streams(
        rng, rng_doomed, _memory(rng), _memory(rng_doomed),
        np.ascontiguousarray(states[:, order]), np.ascontiguousarray(states_doomed[:, order]),
    )  # fmt: skip


def generator() -> np.random.Generator:
    """A generator whose state is to be set."""
    return np.random.Generator(np.random.PCG64(0))


def state_of(rng: np.random.Generator) -> Words:
    """(4,) words of the state of a generator: state high, low, increment high, low.

    Raises:
        TypeError: its bit generator is no PCG64.
    """
    if not isinstance(rng.bit_generator, np.random.PCG64):
        raise TypeError("the colony engine draws from numpy's PCG64 (np.random.default_rng) only")
    state = rng.bit_generator.state["state"]
    both = [part for name in ("state", "inc") for part in divmod(state[name], 1 << 64)]
    return np.array(both, np.uint64)


def set_state(rng: np.random.Generator, words: Words) -> None:
    """Set a generator to a state, in words as `state_of` gives."""
    high, low, high_increment, low_increment = (int(word) for word in words)
    state = dict(rng.bit_generator.state)
    state["state"] = {
        "state": high << 64 | low,
        "inc": high_increment << 64 | low_increment,
    }
    rng.bit_generator.state = state


def _memory(rng: Any) -> Words:
    """(4,) the memory in which a PCG64 holds its state and increment, to read and to write."""
    holder = rng.bit_generator.ctypes.state_address
    address = ctypes.cast(holder, ctypes.POINTER(ctypes.c_void_p))[0]
    return np.ctypeslib.as_array((ctypes.c_uint64 * 4).from_address(address))  # type: ignore[arg-type]


@cache
def _order() -> list[int]:
    """Which word of `state_of` stands first, second ... in the memory."""
    rng = np.random.Generator(np.random.PCG64(20261125))
    said, there = state_of(rng).tolist(), _memory(rng).tolist()
    order = [said.index(word) if word in said else -1 for word in there]
    if sorted(order) != [0, 1, 2, 3]:
        raise RuntimeError(
            f"numpy {np.__version__} keeps the state of PCG64 in a way that metasim does not know"
        )
    return order
