"""Errors that the person at the keyboard can mend.

A message says in one sentence what was wrong, where, and what would be right, and quotes what
arrived. Any other exception that reaches the menu is a defect of the program.
"""


class UserError(Exception):
    """Something a user can mend; the message says what, where, and what would be right."""


class DataError(UserError):
    """A data set, or a file that should hold one, cannot be used as it is."""


class HyperparameterError(UserError):
    """A text file with networks or training parameters cannot be used as it is."""


class CollectionError(UserError):
    """A folder with a model collection cannot be loaded, or a collection cannot be saved."""
