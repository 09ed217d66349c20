"""Simulated points, kept as they come: whatever ends the process, nothing is lost.

A fit is deterministic but for its simulations, so resuming is doing it again with these at hand.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from metasim.errors import MetasimError, ResultsError
from metasim.runner.executors import Executor

Floats = NDArray[np.float64]
_MOST_LOSSES: Final = 3
_SECONDS_BETWEEN_LINES: Final = 20.0


class Journal:
    """Points with their simulated values, in a file of one line each.

    Args:
        path: the file; None: in memory only.
        fingerprint: of the problem; a file of another one is refused.

    Raises:
        ResultsError: the file belongs to another fit.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self._path = path
        self._known: dict[str, tuple[Floats, Floats]] = {}
        self.simulated = 0
        if path is None:
            return
        if path.exists():
            self._read(path, fingerprint)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"fingerprint": fingerprint}) + "\n", encoding="utf-8")

    def _read(self, path: Path, fingerprint: str) -> None:
        lines = path.read_bytes().split(b"\n")
        whole = [line for line in lines[:-1] if line.endswith(b"}")]
        try:
            if json.loads(whole[0])["fingerprint"] != fingerprint:
                raise ResultsError(
                    f"{path.parent}: cannot resume, the stopped fit had other scenarios, targets, "
                    "free keys or patients; choose another folder, or --overwrite it"
                )
            for line in whole[1:]:
                row = json.loads(line)
                self._known[row["point"]] = (_floats(row["values"]), _floats(row["errors"]))
        except (ValueError, KeyError, IndexError) as error:
            raise ResultsError(f"{path}: damaged ({error})") from None
        if lines[-1]:  # cut off in the midst of a line: that point is simulated again
            path.write_bytes(b"\n".join(lines[:-1]) + b"\n")

    def __len__(self) -> int:
        return len(self._known)

    def get(self, u: Floats, mark: str = "") -> tuple[Floats, Floats] | None:
        """Values and errors at a point, if it was simulated; `mark` tells how."""
        return self._known.get(_name(u, mark))

    def add(self, u: Floats, values: Floats, errors: Floats, mark: str = "") -> None:
        """Keep a point."""
        self._known[_name(u, mark)] = (values, errors)
        self.simulated += 1
        if self._path is None:
            return
        row = {
            "point": _name(u, mark),
            "u": u.tolist(),
            "values": _texts(values),
            "errors": _texts(errors),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())


def simulate_all(
    points: Floats,
    compute: Callable[[Floats], tuple[Floats, Floats]],
    journal: Journal,
    executor: Executor,
    mark: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Floats, Floats]:
    """Values and errors at all points, in their order, whoever computes them.

    Args:
        points: shape (n, d).
        compute: point -> values and errors, each (T,); picklable.
        journal: what is known already, and takes what is new.
        executor: where the rest is computed.
        mark: what the journal is to tell such points from others by.
        say: takes how far it is, now and then.

    Raises:
        MetasimError: a worker was lost again and again.
    """
    todo = [i for i, u in enumerate(points) if journal.get(u, mark) is None]
    losses, asked, last = 0, len(todo), time.monotonic()
    while todo:
        running: dict[Future[Any], int] = {}
        queue = list(todo)
        try:
            while queue or running:
                while queue and len(running) < 2 * executor.slots():
                    i = queue.pop(0)
                    running[executor.submit(compute, points[i])] = i
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    values, errors = future.result()
                    i = running.pop(future)
                    if journal.get(points[i], mark) is None:
                        journal.add(points[i], values, errors, mark)
                    todo.remove(i)
                    if todo and time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                        last = time.monotonic()
                        say(f"  {asked - len(todo)} of {asked} points simulated")
        except executor.broken as error:
            losses += 1
            if losses >= _MOST_LOSSES or not executor.renew():
                raise MetasimError(f"workers were lost {losses} times ({error})") from None
    found: Sequence[Any] = [journal.get(u, mark) for u in points]
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def _name(u: Floats, mark: str) -> str:
    said = np.ascontiguousarray(u, dtype=np.float64).tobytes() + mark.encode()
    return sha256(said).hexdigest()[:32]


def _texts(values: Floats) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def _floats(values: list[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], float)
