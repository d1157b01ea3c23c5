"""Reading images with the networks of a collection, of which that of the best stays in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from entries.entry import Entry
from entries.reading import network_of
from errors import UserError
from model_collection import ModelCollection

if TYPE_CHECKING:
    import keras


def best_entry(collection: ModelCollection) -> Entry:
    """The entry that reads where no other is asked for.

    Args:
        collection: of any number of entries.

    Returns:
        The one of highest validation accuracy.

    Raises:
        UserError: there is none.
    """
    best = collection.best()
    if best is None:
        raise UserError("there is no trained network yet: use Train, or Load a folder, first")
    return best


class CollectionReader:
    """Reads with the entries of a collection; builds a network when it is first to read."""

    def __init__(self) -> None:
        self._network_of_best: tuple[Entry, keras.Model] | None = None

    def read(
        self, collection: ModelCollection, entry: Entry, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """Read images with one entry.

        Args:
            collection: of C classes.
            entry: of the collection.
            images: uint8 (N, 28, 28).

        Returns:
            Probabilities, float32 (N, C), each row summing to 1.
        """
        import cnn_model

        return cnn_model.predict(self._network(collection, entry), images)

    def _network(self, collection: ModelCollection, entry: Entry) -> keras.Model:
        """The network of an entry; only that of the best is kept, since there may be thousands."""
        if self._network_of_best is not None and self._network_of_best[0] is entry:
            return self._network_of_best[1]
        network = network_of(entry, len(collection.classes))
        if entry is collection.best():
            self._network_of_best = entry, network
        return network

    def forget(self) -> None:
        """Let go of the network that is kept, as when another collection is loaded."""
        self._network_of_best = None
