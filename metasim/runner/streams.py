"""Random streams are addressed, not sequential: patient k is the same however it is run."""

import numpy as np

COURSE, DOOMED = 1, 2
"""Purposes of a patient's streams; drawn parameters have their own (`scenario.draws`)."""


def generator(rng_seed: int, patient: int, purpose: int) -> np.random.Generator:
    """The random stream of a patient for a purpose: SeedSequence(rng_seed, (patient, purpose))."""
    sequence = np.random.SeedSequence(rng_seed, spawn_key=(patient, purpose))
    return np.random.Generator(np.random.PCG64(sequence))
