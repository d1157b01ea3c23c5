"""What can go wrong with a download."""

from errors import UserError


class DownloadError(UserError):
    """A data set cannot be brought into the cache folder; the message says what can be done."""


class Stopped(DownloadError):
    """The user stopped a download."""


class Failure(DownloadError):
    """Why one address did not give a file; what names the address is added further out."""


class LastingFailure(Failure):
    """A failure that asking again would not mend."""


class RangesRefused(LastingFailure):
    """A server does not send parts of a file."""


class WrongRange(Failure):
    """A server sent another part of a file than was asked for, or says that there is none."""


class Damaged(LastingFailure):
    """What came is not the file that was expected."""
