"""Options and arguments that are wrong, said in our words and not in those of their parser."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """All commands; the values of their options are refused as all other values are."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read what stands before the command."""
        with _worded():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read what stands after the command, and run it."""
        with _until_nobody_reads(), _worded():
            done = super().invoke(ctx)
            sys.stdout.flush()
            return done


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """End quietly when whoever reads what we print has had enough, as `head` has."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except typer.BadParameter as error:
        if error.__cause__ is not None:
            error.message = _said(error.__cause__, error.message)
        raise


def _said(cause: BaseException, otherwise: str) -> str:
    from pydantic import ValidationError

    from rollout.resources.faults import sentence

    return sentence(cause) if isinstance(cause, ValidationError) else otherwise
