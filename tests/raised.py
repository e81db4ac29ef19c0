"""Worlds of tests that are put up in steps."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self


class Raised(ABC):
    """Is put up in steps, and taken down in reverse, also when a step fails: a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @abstractmethod
    def _start(self) -> None:
        """Put it up: each step leaves on the stack how it is taken down."""
