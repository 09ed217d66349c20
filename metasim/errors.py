"""One tree of errors a user can read: every message says what is wrong, where, and the way on."""

from dataclasses import dataclass


class MetasimError(Exception):
    """Base of all errors that are the user's to mend. The CLI prints it and exits with 2.

    Example:
        >>> try:
        ...     ms.load("lumnal_a")
        ... except ms.MetasimError as error:
        ...     print(type(error).__name__)
        ScenarioError
    """


@dataclass(frozen=True)
class Mistake:
    """One mistake of a scenario file.

    Attributes:
        key: dotted path of the key, ``soil.bone.niche``; empty for the file as a whole.
        message: what is wrong and what is allowed, one sentence, with the value.
        hint: the nearest valid name or the way on; empty if there is none.
        place: the option, or the file that the scenario extends, which gives the value; empty: the
            scenario's own file.

    Example:
        >>> print(ms.Mistake("run.years", "must be above 0, not -1"))
        run.years: must be above 0, not -1
    """

    key: str
    message: str
    hint: str = ""
    place: str = ""

    def __str__(self) -> str:
        place = f"in {self.place}" if self.place else ""
        said = "; ".join(filter(None, (place, self.hint)))
        key = self.key if len(self.key) <= _MOST_OF_A_KEY else f"{self.key[:_MOST_OF_A_KEY]} ..."
        return _one_line(
            (f"{key}: " if key else "") + self.message + (f" ({said})" if said else "")
        )


MOST_MISTAKES = 20
"""Mistakes that a message lists."""
_MOST_OF_A_KEY = 200


def _one_line(text: str) -> str:
    """A text with what would break the line, or steer a terminal, written out."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


class ScenarioError(MetasimError):
    """A scenario that cannot be run, with all its mistakes at once.

    Attributes:
        source: the file (or ``--set``, ``replace``) the mistakes were found in.
        mistakes: all of them.

    Example:
        >>> try:
        ...     ms.load("luminal_a", {"soil.bone.nich": 1, "run.years": -1})
        ... except ms.ScenarioError as error:
        ...     print(sorted(mistake.key for mistake in error.mistakes))
        ['run.years', 'soil.bone.nich']
    """

    def __init__(self, source: str, mistakes: list[Mistake]) -> None:
        self.source = source
        self.mistakes = mistakes
        super().__init__(source, mistakes)

    def __str__(self) -> str:
        source, number = _one_line(self.source), len(self.mistakes)
        lines = [str(mistake) for mistake in self.mistakes[:MOST_MISTAKES]]
        if number == 1:
            return f"{source}: {lines[0]}"
        if number > MOST_MISTAKES:
            lines.append(f"... and {number - MOST_MISTAKES:,} more")
        return "\n  ".join([f"{source}: {number:,} mistakes", *lines])


class ResultsError(MetasimError):
    """A results folder that cannot be read, written or plotted.

    Example:
        >>> try:
        ...     ms.open_results("nowhere")
        ... except ms.ResultsError as error:
        ...     print(error)
        nowhere: no such results folder
    """


class LimitError(MetasimError):
    """A run that outgrew a stated limit (cells, colonies); says which, when, and the way on.

    Attributes:
        record: what the patient's engine had recorded until then, if it kept that.

    Example:
        >>> small = ms.load("few_cells", {"run.max_cells": 1, "run.patients": 1})
        >>> try:
        ...     ms.model_of(small)
        ... except ms.LimitError:
        ...     print("too many cells")
        too many cells
    """

    record: object = None


class OptionError(MetasimError):
    """A command-line option or function argument that is not allowed.

    Example:
        >>> try:
        ...     ms.run(ms.load("luminal_a"), workers=0)
        ... except ms.OptionError as error:
        ...     print("refused")
        refused
    """


class UnknownOption(OptionError, TypeError):
    """An option that a function does not have; the message gives the nearest name.

    Example:
        >>> try:
        ...     ms.run(ms.load("luminal_a"), worker=2)
        ... except ms.UnknownOption as error:
        ...     print(error)
        run: there is no option "worker" (did you mean "workers"?)
    """


class MetasimWarning(UserWarning):
    """Something that did not work but that the run goes on without; the CLI prints it as a line.

    Example:
        >>> import warnings
        >>> warnings.simplefilter("ignore", ms.MetasimWarning)
    """


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; the message says how far it came and how to go on.

    Example:
        >>> try:
        ...     results = ms.run(ms.load("luminal_a", {"run.patients": 20}))
        ... except ms.RunInterrupted as stopped:
        ...     print(stopped)
    """
