"""Options of public functions: an unknown one is refused with the nearest name, never ignored."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar, cast

from metasim.errors import UnknownOption

F = TypeVar("F", bound=Callable[..., Any])


def checked(
    also: Callable[[], Iterable[str]] | None = None, *, name: str | None = None
) -> Callable[[F], F]:
    """A decorator: refuse options that a function does not have.

    Args:
        also: gives the names that its ``**options`` may have; asked only when one is given.
        name: what messages call the function; None: by its own name.

    Example:
        >>> from metasim.checked import checked
        >>> @checked()
        ... def half(number, *, rounded=False):
        ...     return number // 2 if rounded else number / 2
        >>> half(3, ronded=True)
        Traceback (most recent call last):
            ...
        metasim.errors.UnknownOption: half: there is no option "ronded" (did you mean "rounded"?)
    """

    def decorate(function: F) -> F:
        own = keywords(function)

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            if not options.keys() <= own:
                extra = set(also()) if also is not None else set()
                refuse_unknown(name or function.__name__, options, own | extra)
            return function(*arguments, **options)

        return cast(F, call)

    return decorate


def keywords(function: Callable[..., Any]) -> set[str]:
    """Names of the parameters that may be given by name."""
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {p.name for p in signature(function).parameters.values() if p.kind in named}


def refuse_unknown(function: str, options: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse options that are not known.

    Raises:
        UnknownOption: names them all, each with the nearest name, or all names there are.
    """
    allowed = sorted(set(known) - {"self", "results", "scenario", "ax"})
    unknown = []
    for given in options:
        if given not in known:
            near = get_close_matches(given, allowed, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(allowed)}"
            unknown.append(f'there is no option "{given}" ({hint})')
    if unknown:
        raise UnknownOption(f"{function}: {'; '.join(unknown)}")
