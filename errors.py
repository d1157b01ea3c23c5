"""Errors that the person at the keyboard can mend.

A message says in one sentence what was wrong, where, and what would be right, and quotes what
arrived. Any other exception that reaches the menu is a defect of the program.
"""

from collections.abc import Sequence


class UserError(Exception):
    """Something a user can mend; the message says what, where, and what would be right."""


class DataError(UserError):
    """A data set, or a file that should hold one, cannot be used as it is.

    Attributes:
        left_out: "file: why" of each file that was left out of it before, which may be the cause.
    """

    def __init__(self, message: str, left_out: Sequence[str] = ()) -> None:
        """Say what is wrong, and which files were left out."""
        super().__init__(message)
        self.left_out = tuple(left_out)


class HyperparameterError(UserError):
    """A text file with networks or training parameters cannot be used as it is."""


class CollectionError(UserError):
    """A folder with a model collection cannot be loaded, or a collection cannot be saved."""
