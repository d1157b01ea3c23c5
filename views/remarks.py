"""What several views say alike: scores, times, reasons, and remarks of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counting import counted, in_runs
from data_parser import DataSet
from evaluation.recognition import Score
from settings.hyperparameters import TrainingTask

MOST_NUMBERED = 8  # names whose numbers are told
LONGEST_REASON = 200


def reason_in_short(reason: str) -> str:
    """Why something went wrong, as far as it can be shown in a line or two.

    Args:
        reason: any text.

    Returns:
        Its beginning, without what cannot be printed.
    """
    return "".join(letter for letter in reason if letter.isprintable())[:LONGEST_REASON]


def share(score: Score) -> str:
    """An accuracy with the number of images it was measured on.

    Args:
        score: on any images.

    Returns:
        Such as `91.20% of 3,700 images`.
    """
    return f"{score.accuracy:.2%} of {counted(score.images, 'image')}"


def score_cells(score: Score) -> tuple[str, str]:
    """Accuracy and loss as two cells of a table.

    Args:
        score: on any images.

    Returns:
        The accuracy in percent, and the loss in nats.
    """
    return f"{score.accuracy:.2%}", f"{score.loss:.4f}"


def activation_without_use(numbers: Sequence[int]) -> str:
    """A sentence on variants that name all their activations.

    Args:
        numbers: of the variants, rising, one or more.

    Returns:
        The sentence.
    """
    which = f"variant{'' if len(numbers) == 1 else 's'} {in_runs(numbers)}"
    return (
        f"Every layer of {which} names its activation, or has none: 'activation' among the "
        "training parameters changes nothing there, and what differs in it alone is trained once."
    )


def repeated(pairs: Sequence[tuple[TrainingTask, TrainingTask]]) -> str:
    """A sentence on trainings that two files ask for twice, one or more, each behind the first."""
    earlier, task = pairs[0]
    if len(pairs) == 1:
        name = task.name[:1].upper() + task.name[1:]
        return f"{name} is the same training as {earlier.name}, and is trained once."
    return (
        f"{len(pairs):,} trainings are the same as earlier ones, such as {task.name} as "
        f"{earlier.name}; each is trained once."
    )


def copies(found: Mapping[str, int], data_set: DataSet) -> str:
    """A sentence on validation and test images that are among the training images.

    Args:
        found: how many, by split.
        data_set: whose splits they are.

    Returns:
        The sentence.
    """
    shares = [
        f"{count:,} of the {counted(len(data_set.indices(split)), f'{split} image')}"
        for split, count in found.items()
        if count
    ]
    copied = sum(found.values())
    return (
        f"{' and '.join(shares)} {'is a copy' if copied == 1 else 'are copies'} of training "
        "images: accuracy on them says nothing about new ones."
    )


def written_as_numbers(numbered: Sequence[str], classes: Sequence[str]) -> str:
    """A sentence on names that stand as numbers in a picture, for want of a font.

    Args:
        numbered: the names, one or more.
        classes: all names, in their order.

    Returns:
        The sentence.
    """
    pairs = [f"#{classes.index(name) + 1} for {name}" for name in numbered[:MOST_NUMBERED]]
    more = len(numbered) - len(pairs)
    if more:
        pairs.append(f"and so on for {more:,} more, in the order of the characters")
    return f"No font here can write some names; a number stands in the picture: {', '.join(pairs)}."


def duration(seconds: float) -> str:
    """A time as `m:ss`, or `h:mm:ss` from an hour on.

    Args:
        seconds: 0 or more.

    Returns:
        Minutes and seconds, hours too where there are any.
    """
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
