"""An entry's network as it reads, and its score on a split of a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from data_set import DataSet
from entries.entry import Entry
from evaluation.recognition import Score, score
from settings.training_parameters import TrainingParameters

if TYPE_CHECKING:
    import keras


def network_of(entry: Entry, class_count: int) -> keras.Model:
    """Rebuild an entry's network from its layers, fill in its weights, and let it read as it did.

    Args:
        entry: trained.
        class_count: of the collection that it belongs to.

    Returns:
        A network from uint8 (N, 28, 28) to float32 (N, class_count).
    """
    import cnn_model

    network = cnn_model.build_network(entry.layers, class_count)
    cnn_model.set_weights(network, entry.weights)
    return as_it_reads(network, entry.training_parameters)


def as_it_reads(network: keras.Model, parameters: TrainingParameters) -> keras.Model:
    """The network as it reads: averaging over shifts where its parameters ask for it.

    Args:
        network: from uint8 (N, 28, 28) to float32 (N, C).
        parameters: of its training.

    Returns:
        One from and to the same; the network itself where nothing is to be averaged.
    """
    import cnn_model

    shifts = parameters.test_time_shifts
    return cnn_model.average_over_shifts(network, shifts) if shifts else network


def score_split(
    network: keras.Model,
    data_set: DataSet,
    name: str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Score:
    """Score a network on one split of a data set.

    Args:
        network: from uint8 (N, 28, 28) to float32 (N, C), of the data set's C classes.
        data_set: of which the images are.
        name: of the split.
        should_stop: asked after each few batches.

    Returns:
        Accuracy and loss on all images of the split.

    Raises:
        cnn_model.TrainingStopped: `should_stop` said so.
    """
    import cnn_model

    images, labels = data_set.subset(name)
    return score(cnn_model.predict(network, images, should_stop), labels)
