"""A command that cannot be carried out."""


class CommandRefusedError(Exception):
    """A command cannot be carried out; the message says why and what would."""
