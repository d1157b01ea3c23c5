"""What denoisers are worth: errors, ink and recognition of restored test images, and comparisons.

A denoiser that is told the class is told what the reader takes the noisy image for, never the
label: whoever has a noisy image does not know more. Without a reader it is told the label, which is
said, and there is no accuracy then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from data_parser import DataSet
from denoising.noise import Noise, add_noise
from evaluation.recognition import Likely, ranked
from evaluation.restoration import (
    AccuracyComparison,
    PairedComparison,
    Restoration,
    compare_accuracy,
    compare_errors,
    measure,
)
from image_arrays import Images

Labels: TypeAlias = npt.NDArray[np.integer]
# Returns the class that each of uint8 (N, 28, 28) images is taken for, integers (N,).
Reader: TypeAlias = Callable[[Images], Labels]
# Restores uint8 (N, 28, 28) images of an amount of noise, taken for classes (N,).
Restorer: TypeAlias = Callable[[Images, float, Labels], Images]
MOST_IMAGES = 2000
EXAMPLES = 10


@dataclass(frozen=True, eq=False)
class Finding:
    """Noisy test images, or what a denoiser made of them, beside the clean ones.

    Attributes:
        restorer: name of the denoiser; None for the noisy images themselves.
        measures: errors and ink.
        right: bools (N,), whether the reader reads each rightly; None without a reader.
        examples: uint8 (E, 28, 28), the first few.
    """

    restorer: str | None
    measures: Restoration
    right: npt.NDArray[np.bool_] | None
    examples: Images

    @property
    def accuracy(self) -> float | None:
        """Share that is read rightly, 0 to 1; None without a reader."""
        return None if self.right is None else float(self.right.mean())


@dataclass(frozen=True)
class Comparison:
    """The two denoisers with the least error, image by image.

    Attributes:
        one: name of the better one.
        other: name of the second.
        errors: mean squared error of one minus that of the other.
        accuracy: which images only one of them keeps readable; None without a reader.
    """

    one: str
    other: str
    errors: PairedComparison
    accuracy: AccuracyComparison | None


@dataclass(frozen=True, eq=False)
class NoiseFindings:
    """What one kind and amount of noise does, and what is left of it.

    Attributes:
        noise: the noise.
        noisy: the noisy images.
        restored: one a denoiser.
        comparison: of two denoisers; None where there is one.
    """

    noise: Noise
    noisy: Finding
    restored: tuple[Finding, ...]
    comparison: Comparison | None


@dataclass(frozen=True, eq=False)
class DenoisingFindings:
    """Test images with several kinds of noise.

    Attributes:
        images: how many there are.
        clean_accuracy: of the reader on clean ones, 0 to 1; None without a reader.
        examples: uint8 (E, 28, 28), the first few, clean.
        by_noise: one for each noise.
    """

    images: int
    clean_accuracy: float | None
    examples: Images
    by_noise: tuple[NoiseFindings, ...]


def judge(
    data_set: DataSet,
    noises: Sequence[Noise],
    restorers: Mapping[str, Restorer],
    read: Reader | None,
    seed: int,
    show: Callable[[str], None] = lambda doing: None,
) -> DenoisingFindings:
    """Add noise to test images and restore them.

    Args:
        data_set: whose test split is used, `MOST_IMAGES` of it at most, drawn by lot.
        noises: one or more.
        restorers: by name.
        read: the reader, or None.
        seed: of the choice of images and of the noise, 0 or more.
        show: told in a few words what is being done.

    Returns:
        Errors, likeness and, with a reader, accuracies of each restorer at each noise.
    """
    rows = data_set.indices("test")
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(rows)[:MOST_IMAGES])
    # The first few are shown: in the order of the file they may all be of one class.
    rows = random.permutation(rows)
    clean, labels = data_set.images[rows], data_set.labels[rows]
    clean_right = None if read is None else read(clean) == labels
    found = []
    for number, noise in enumerate(noises):
        place = f"noise {number + 1} of {len(noises)}, {noise.name}"
        amounts = np.full(len(clean), noise.amount, np.float32)
        noisy = add_noise(clean, noise.kind, amounts, np.random.default_rng([seed, number]))
        found.append(_findings(noise, clean, noisy, labels, restorers, read, _of(place, show)))
    return DenoisingFindings(
        images=len(rows),
        clean_accuracy=None if clean_right is None else float(clean_right.mean()),
        examples=clean[:EXAMPLES],
        by_noise=tuple(found),
    )


def _of(place: str, show: Callable[[str], None]) -> Callable[[str], None]:
    """Tells what is being done at a place."""
    return lambda doing: show(f"Judging: {place}, {doing} ...")


def _findings(
    noise: Noise,
    clean: Images,
    noisy: Images,
    labels: Labels,
    restorers: Mapping[str, Restorer],
    read: Reader | None,
    show: Callable[[str], None],
) -> NoiseFindings:
    show("noisy images")
    taken_for = labels if read is None else read(noisy)

    def finding(name: str | None, images: Images) -> Finding:
        right = None if read is None else read(images) == labels
        return Finding(name, measure(images, clean), right, images[:EXAMPLES])

    of_noisy = finding(None, noisy)
    restored = []
    for number, (name, restore) in enumerate(restorers.items(), 1):
        show(f"denoiser {number} of {len(restorers)}")
        restored.append(finding(name, restore(noisy, noise.amount, taken_for)))
    return NoiseFindings(noise, of_noisy, tuple(restored), _comparison(restored))


def _comparison(restored: Sequence[Finding]) -> Comparison | None:
    if len(restored) < 2:
        return None
    one, other = sorted(restored, key=lambda finding: finding.measures.mse)[:2]
    accuracy = None
    if one.right is not None and other.right is not None:
        accuracy = compare_accuracy(one.right, other.right)
    return Comparison(
        one=one.restorer or "",
        other=other.restorer or "",
        errors=compare_errors(one.measures.squared_errors, other.measures.squared_errors),
        accuracy=accuracy,
    )


@dataclass(frozen=True, eq=False)
class SeenImage:
    """An image and what the reader takes it for.

    Attributes:
        name: what it is, such as 'noisy', or the denoiser's name.
        image: uint8 (28, 28).
        likeliest: all classes, likeliest first; empty without a reader.
    """

    name: str
    image: Images
    likeliest: tuple[Likely, ...]


@dataclass(frozen=True, eq=False)
class RestoredImage:
    """One image before and after.

    Attributes:
        noise: what it has, or is said to have.
        label: its class; None where nobody knows.
        seen: clean (where that is known), noisy, and restored by each denoiser.
    """

    noise: Noise
    label: str | None
    seen: tuple[SeenImage, ...]


def restore_one(
    noise: Noise,
    images: Mapping[str, Images],
    label: int | None,
    classes: Sequence[str],
    restorers: Mapping[str, Restorer],
    probabilities_of: Callable[[Images], npt.NDArray[np.floating]] | None,
) -> RestoredImage:
    """Restore one noisy image and read it before and after.

    Args:
        noise: what it has.
        images: uint8 (28, 28) by name, the noisy one last.
        label: its class index, or None.
        classes: the C classes.
        restorers: by name.
        probabilities_of: from uint8 (N, 28, 28) to floats (N, C); None without a reader.

    Returns:
        The images, and what each is taken for where there is a reader.
    """
    noisy = list(images.values())[-1][np.newaxis]
    taken_for = np.array([label or 0])
    if probabilities_of is not None:
        taken_for = probabilities_of(noisy).argmax(axis=1)
    restored = {
        name: restore(noisy, noise.amount, taken_for)[0] for name, restore in restorers.items()
    }
    names, stacked = zip(*(dict(images) | restored).items(), strict=True)
    likeliest: list[tuple[Likely, ...]] = [()] * len(names)
    if probabilities_of is not None:
        likeliest = [ranked(row, classes) for row in probabilities_of(np.stack(stacked))]
    return RestoredImage(
        noise=noise,
        label=None if label is None else classes[label],
        seen=tuple(map(SeenImage, names, stacked, likeliest)),
    )
