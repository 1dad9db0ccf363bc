"""What a child is asked and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """What a child is asked to do; the function is one that its module's name leads to."""

    function: Callable[..., Iterator[Any]]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    #: What is left of the attempt's time, or None where nothing limits it.
    seconds: float | None


@dataclass(frozen=True)
class Value:
    """One of the values that the function yields."""

    value: Any


@dataclass(frozen=True)
class Done:
    """The function has yielded all it had; also: the child is ready."""


@dataclass(frozen=True)
class Raised:
    """The function raised."""

    error: Exception


def once(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Iterator[Any]:
    """A plain call as a function that yields its one result."""
    yield function(*args, **kwargs)
