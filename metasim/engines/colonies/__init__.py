"""The colony engine: the step law for groups of identical cells, compiled by numba.

A patient's loop is `patient.simulate`. A step, in this order (rates are evaluated at its start and
held):

1. units (cells or clusters) that have left their colony take at most one stage;
2. each colony grows by the exact birth-death law, changes phenotype, may switch on angiogenesis,
   and sheds units over its border (these move from the next step on);
3. units that colonized found colonies, which grow from the next step on;
4. clinical events are read off: sizes reached, diagnosis, relapse, symptoms; then treatment that
   is due acts, and what it changes holds from the next step on;
5. death by burden or other causes; recording.

`simulate_chunk` draws the patients of a chunk in one call of compiled code. It is safe in threads:
a call has its own generators and memory, reads its arguments only, and holds no lock of Python's
while it runs. It ends early, within a step of a patient, once its `stop` flag is raised.
`prepare` and `simulate` draw single patients from generators that are handed to them.
"""

from metasim.engines.colonies.chunk import Chunk, Outcome, prepare, simulate, simulate_chunk
from metasim.engines.colonies.kernel import COMPILING, compiled

__all__ = ["COMPILING", "Chunk", "Outcome", "compiled", "prepare", "simulate", "simulate_chunk"]
