"""Random streams are addressed, not sequential: patient k is the same however it is run."""

import numpy as np
from numpy.typing import NDArray

COURSE, DOOMED, TESTS, PLASMA = 1, 2, 3, 4
"""Purposes of a patient's streams; drawn parameters have their own (`scenario.draws`)."""

Words = NDArray[np.uint64]
_Halves = NDArray[np.uint32]

# numpy's SeedSequence (after M. E. O'Neill's seed_seq) and PCG64's multiplier
_POOL = 4
_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
_SHIFT = np.uint32(16)
_PCG = 0x2360ED051FC65DA44385DF649FCCF645


def generator(rng_seed: int, patient: int, purpose: int) -> np.random.Generator:
    """The random stream of a patient for a purpose: SeedSequence(rng_seed, (patient, purpose))."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(patient, purpose))
    return np.random.Generator(np.random.PCG64(sequence))


def states(rng_seed: int, first: int, count: int, purpose: int) -> Words:
    """The states in which the `generator` of consecutive patients begin, all at once.

    Args:
        rng_seed: of the run.
        first: number of the first patient.
        count: number of patients.
        purpose: COURSE or DOOMED.

    Returns:
        (count, 4) words of each PCG64: state high and low, increment high and low.
    """
    patients = range(first, first + count)
    if count and len(_halves(patients[0])) != len(_halves(patients[-1])):  # at 2^32, 2^64 ...
        parts = [states(rng_seed, k, 1, purpose) for k in patients]
        return np.concatenate(parts)
    seed = _halves(rng_seed)
    entropy: list[int | _Halves] = [*seed, *[0] * (_POOL - len(seed))]
    numbers = np.array([_halves(k) for k in patients], np.uint32).reshape(count, -1)
    entropy += [*numbers.T, *_halves(purpose)]
    with np.errstate(over="ignore"):
        pool = _pool([np.full(count, word, np.uint32) for word in entropy])
        return _seeded(*_words(pool))


def _halves(number: int) -> list[int]:
    """A whole number >= 0 in 32-bit words, the lowest first."""
    words = [number & 0xFFFFFFFF]
    while number := number >> 32:
        words.append(number & 0xFFFFFFFF)
    return words


def _pool(entropy: list[_Halves]) -> list[_Halves]:
    """The mixed pool of numpy's SeedSequence."""
    constant = _INIT_A

    def hashed(value: _Halves) -> _Halves:
        nonlocal constant
        value = value ^ np.uint32(constant)
        constant = constant * _MULT_A & 0xFFFFFFFF
        value = value * np.uint32(constant)
        return value ^ (value >> _SHIFT)

    def mixed(x: _Halves, y: _Halves) -> _Halves:
        result = _MIX_LEFT * x - _MIX_RIGHT * y
        return np.asarray(result ^ (result >> _SHIFT))

    pool = [hashed(word) for word in entropy[:_POOL]]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = mixed(pool[target], hashed(pool[source]))
    for word in entropy[_POOL:]:
        for target in range(_POOL):
            pool[target] = mixed(pool[target], hashed(word))
    return pool


def _words(pool: list[_Halves]) -> list[Words]:
    """What SeedSequence.generate_state(4, uint64) makes of a pool."""
    constant, halves = _INIT_B, []
    for i in range(8):
        value = pool[i % _POOL] ^ np.uint32(constant)
        constant = constant * _MULT_B & 0xFFFFFFFF
        value = value * np.uint32(constant)
        halves.append((value ^ (value >> _SHIFT)).astype(np.uint64))
    return [
        low | high << np.uint64(32) for low, high in zip(halves[::2], halves[1::2], strict=True)
    ]


def _seeded(high: Words, low: Words, stream_high: Words, stream_low: Words) -> Words:
    """PCG64 seeded with a state and a stream of 128 bits each: pcg_setseq_128_srandom."""
    one = np.uint64(1)
    increment = (stream_high << one | stream_low >> np.uint64(63), stream_low << one | one)
    state = _plus(increment, (high, low))  # the first step, from 0, gives the increment
    state = _plus(_times_pcg(state), increment)
    return np.stack([*state, *increment], axis=1)


def _plus(x: tuple[Words, Words], y: tuple[Words, Words]) -> tuple[Words, Words]:
    low = x[1] + y[1]
    return x[0] + y[0] + (low < x[1]).astype(np.uint64), low


def _times_pcg(x: tuple[Words, Words]) -> tuple[Words, Words]:
    """Times PCG64's multiplier, modulo 2^128; high and low words."""
    high, low = np.uint64(_PCG >> 64), np.uint64(_PCG & 0xFFFFFFFFFFFFFFFF)
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a, b, c, d = x[1] >> half, x[1] & mask, low >> half, low & mask
    middle = (b * d >> half) + (a * d & mask) + (b * c & mask)
    carried = a * c + (a * d >> half) + (b * c >> half) + (middle >> half)
    return carried + x[0] * low + x[1] * high, x[1] * low
