"""The course of a training, what it leaves, and checkpoints that it goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import keras
import numpy as np
import numpy.typing as npt

from data_formats.replacing import taking_the_place_of
from image_arrays import Images

PREVIEW_IMAGES = 16
SUFFIX = ".weights.h5"  # Keras writes weights to such files alone
COURSE = "course"
AVERAGES = "averages"


@dataclass(frozen=True, eq=False)
class TrainedGan:
    """What a training leaves.

    Attributes:
        weights: float16 (W,), all weights of the averaged generator, one after the other.
        steps: batches learnt from; fewer than asked for where it was stopped.
        seconds: wall-clock time.
        losses: float64 (K, 3): step, discriminator's and generator's mean loss since the row above.
        previews: uint8 (F, 16, 28, 28), the same latent vectors drawn again and again.
        preview_steps: of each preview.
    """

    weights: npt.NDArray[np.float16]
    steps: int
    seconds: float
    losses: npt.NDArray[np.float64]
    previews: Images
    preview_steps: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Course:
    """How a training went so far.

    Attributes:
        step: batches done.
        seconds: wall-clock time.
        losses: as of `TrainedGan`.
        previews: as of `TrainedGan`.
        preview_steps: as of `TrainedGan`.
        averages: float32 arrays, the moving averages of the drawings' moments at `step` (see
            `moments.MomentMatching`); none where none are matched yet.
    """

    step: int = 0
    seconds: float = 0.0
    losses: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))
    previews: Images = field(
        default_factory=lambda: np.empty((0, PREVIEW_IMAGES, 28, 28), np.uint8)
    )
    preview_steps: tuple[int, ...] = ()
    averages: tuple[npt.NDArray[np.float32], ...] = ()

    def finished(self, weights: npt.NDArray[np.float16]) -> TrainedGan:
        """What the training leaves.

        Args:
            weights: float16 (W,), of the averaged generator.

        Returns:
            The weights, with how the training went.
        """
        return TrainedGan(
            weights, self.step, self.seconds, self.losses, self.previews, self.preview_steps
        )


class CheckpointError(Exception):
    """A checkpoint is damaged, or of another training."""


def save_checkpoint(path: Path, model: keras.Model, course: Course) -> None:
    """Write all that a training goes on from, in one step.

    Args:
        path: the file; its name ends in `SUFFIX`.
        model: weights, optimizers and random seeds.
        course: so far.

    Raises:
        OSError: it cannot be written; an earlier one is unchanged.
    """
    new = path.with_name(f"new-{path.name}")
    with taking_the_place_of(path, new):
        model.save_weights(new)
        with h5py.File(new, "a") as file:
            about = file.create_group(COURSE)
            about.attrs["step"] = course.step
            about.attrs["seconds"] = course.seconds
            for name in ("losses", "previews", "preview_steps"):
                about.create_dataset(name, data=getattr(course, name))
            for index, average in enumerate(course.averages):
                about.create_dataset(f"{AVERAGES}/{index}", data=average)


def load_checkpoint(path: Path, model: keras.Model) -> Course:
    """Bring a compiled model to where a checkpoint left it.

    Args:
        path: written by `save_checkpoint`, of a model like this one.
        model: its weights, optimizers and random seeds are changed.

    Returns:
        The course until then.

    Raises:
        CheckpointError: it is damaged, or of another model, which may be changed in part.
    """
    try:
        with h5py.File(path) as file:
            course = _course_in(file[COURSE])
        model.load_weights(path)
    # h5py and Keras answer a file that does not fit with many kinds of error.
    except Exception as error:
        raise CheckpointError(
            f"the checkpoint {path} is damaged, or of another training; delete it to begin again"
        ) from error
    return course


def _course_in(about: h5py.Group) -> Course:
    # Earlier checkpoints have no averages, whatever their step; those begin anew then.
    averages = about.get(AVERAGES, {})
    return Course(
        int(about.attrs["step"]),
        float(about.attrs["seconds"]),
        about["losses"][()],
        about["previews"][()],
        tuple(int(step) for step in about["preview_steps"][()]),
        tuple(averages[str(index)][()] for index in range(len(averages))),
    )
