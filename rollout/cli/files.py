"""Files that people name."""

import sys
from pathlib import Path


def read(file: Path, instead: str = "name a file, or - for standard input") -> str:
    """Read a text, of standard input for `-`.

    Raises ValueError that names the file; `instead` is what else may be given.
    """
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is no text: {error}") from error
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise ValueError(f"{file}: {said}: {instead}") from error
