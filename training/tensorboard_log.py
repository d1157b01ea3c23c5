"""The course of a training as TensorBoard reads it: accuracy, loss and learning rate by epoch.

The package `tensorboard`, which shows what is written here, is not needed to write it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from errors import UserError
from unused_path import new_folder

METADATA = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,  # scalars, in the numbering of TensorFlow's summary.proto
)


class EpochLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes down each epoch, counted from 1, as soon as it is over.

    In the folder are two runs, as Keras's own callback has them, so that TensorBoard draws both
    curves into one picture: `train` has 'accuracy', 'loss' and 'learning_rate' (of the step that
    would come next), `validation` has 'accuracy' and 'loss'.
    """

    def __init__(self, folder: Path) -> None:
        """Write below an existing folder.

        Raises:
            UserError: it cannot be written.
        """
        super().__init__()
        self._folder = folder
        with _told_in_a_sentence(folder):
            self._writers = {
                run: tf.summary.create_file_writer(str(folder / run))
                for run in ("train", "validation")
            }

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """See `keras.callbacks.Callback`; raises UserError where nothing more can be written."""
        logs = logs or {}
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        values = {
            "train": {"accuracy": logs["accuracy"], "loss": logs["loss"], "learning_rate": rate},
            "validation": {"accuracy": logs["val_accuracy"], "loss": logs["val_loss"]},
        }
        with _told_in_a_sentence(self._folder):
            for run, writer in self._writers.items():
                _write(writer, epoch + 1, values[run])

    def close(self) -> None:
        """Close the files; every epoch was written before."""
        with _told_in_a_sentence(self._folder):
            for writer in self._writers.values():
                writer.close()


def _write(writer: Any, step: int, values: dict[str, float]) -> None:
    with writer.as_default(step=step):
        for name, value in values.items():
            tf.summary.write(name, tf.constant(value, tf.float32), metadata=METADATA)
    writer.flush()


@contextlib.contextmanager
def new_run(folder: Path, name: str) -> Iterator[EpochLog]:
    """Log a training in a folder of its own, which no other training has written to.

    Args:
        folder: of all runs; made where there is none.
        name: of this one; a number is added where the name is taken.

    Yields:
        A callback for the training.

    Raises:
        UserError: the folder cannot be written.
    """
    log = EpochLog(_new_folder(folder, name))
    try:
        yield log
    finally:
        with contextlib.suppress(UserError):  # every epoch was written before
            log.close()


def _new_folder(folder: Path, name: str) -> Path:
    with _told_in_a_sentence(folder):
        return new_folder(folder / name)


@contextlib.contextmanager
def _told_in_a_sentence(folder: Path) -> Iterator[None]:
    """Errors of the file system, Python's and TensorFlow's, as one that a user can mend."""
    try:
        yield
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise UserError(
            f"the folder for TensorBoard, {folder}, cannot be written: {reason}; make room, or "
            "name another one as 'tensorboard' in the training parameters"
        ) from error


def _first_line(error: Exception) -> str:
    """What an error says, without the names of TensorFlow's own functions."""
    text = str(getattr(error, "message", error))
    return text.split("}} ")[-1].splitlines()[0].split(" [Op:")[0]
