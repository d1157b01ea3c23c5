"""What a report states: the facts about the open data set, the entries, and the best one of them.

The best entry is looked at on images of the open data set's test split that took no part in its
training or choosing, as long as there are some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_parser import SPLIT_NAMES, DataSet
from entries.entry import Entry
from evaluation import embedding, recognition
from evaluation.intervals import Proportion, wilson
from evaluation.recognition import ConfusedPair, Score
from image_arrays import Images
from model_collection import ModelCollection
from settings import layer_lists, network_layers
from settings.network_layers import Conv2D, Layer, Residual

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[np.float32]
Read = Callable[[Entry, Images], Probabilities]
Show = Callable[[str], None]

MOST_READ = 20  # entries; reading takes a second or more for each
MAPPED_IMAGES = 1000
MAPPED_CLASSES = 60
# t-SNE looks at distances alone, which so many components hold nearly all of, and is quicker so.
COMPONENTS_BEFORE_T_SNE = 50
CONFUSED_PAIRS = 10


@dataclass(frozen=True)
class EntryFindings:
    """How well an entry reads.

    Attributes:
        number: of the entry in the collection.
        entry: the entry.
        validation: on the validation split that it was chosen by; None where it has no images.
        test: on the test split of the data that it was trained on; None where it has no images.
        scored_here: whether those are the splits of the open data set.
        met: how many images of the open test split took part in its training or choosing.
        open_test: on the open test split; None where it was not read.
        unmet: on the images of the open test split that it has not met; None where there are none,
            or they were not read.
    """

    number: int
    entry: Entry
    validation: Proportion | None
    test: Proportion | None
    scored_here: bool
    met: int
    open_test: Proportion | None
    unmet: Proportion | None


@dataclass(frozen=True, eq=False)
class BestFindings:
    """What the best entry makes of test images.

    Attributes:
        found: its scores.
        rows: int64 (N,), the images, as rows of the data set.
        all_met: whether all of them took part in its training or choosing, since no others are
            there.
        probabilities: float32 (N, C), as it read them.
    """

    found: EntryFindings
    rows: Indices
    all_met: bool
    probabilities: Probabilities


@dataclass(frozen=True)
class Misread:
    """An image that was taken for what it is not.

    Attributes:
        row: of the image in the data set.
        label: its class index.
        taken_for: class index it was taken for.
        probability: of that class, as the network says, 0 to 1.
        of_label: probability of its own class, 0 to 1.
    """

    row: int
    label: int
    taken_for: int
    probability: float
    of_label: float


@dataclass(frozen=True, eq=False)
class ImageMap:
    """Images in two dimensions.

    Attributes:
        principal: float64 (N, 2), along their first two principal components.
        shares: how much of the variance each of the two holds, 0 to 1.
        neighbours: float64 (N, 2) of t-SNE, or None without it.
    """

    principal: npt.NDArray[np.float64]
    shares: tuple[float, float]
    neighbours: npt.NDArray[np.float64] | None


def class_counts(data_set: DataSet) -> npt.NDArray[np.int64]:
    """Count the images of each class in each split.

    Args:
        data_set: of C classes.

    Returns:
        int64 (C, 4), a row a class, a column a split in the order of SPLIT_NAMES.
    """
    columns = [
        np.bincount(data_set.labels[data_set.indices(name)], minlength=len(data_set.classes))
        for name in SPLIT_NAMES
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def read_entries(
    data_set: DataSet, collection: ModelCollection, read: Read, show: Show
) -> tuple[list[EntryFindings], BestFindings]:
    """Find how well the entries of a collection read.

    Those scored on the open data set are not read again, as long as no test image was met. Of the
    others the `MOST_READ` of highest validation accuracy are read on the open test split.

    Args:
        data_set: the open one, with images in its test split.
        collection: with one entry or more, for the data set's classes.
        read: returns the probabilities with which an entry reads uint8 (N, 28, 28).
        show: told in a few words what is being done.

    Returns:
        Entries, highest validation accuracy first, and what the first of them made of the images.
    """
    images, labels = data_set.subset("test")
    met_by = collection.met_by(images)
    entries = collection.entries
    order = sorted(range(len(entries)), key=lambda n: entries[n].validation.rank, reverse=True)
    to_read = _to_read(data_set, collection, order, met_by)
    right: dict[int, Flags] = {}
    best_read = np.empty((0, 0), np.float32)
    for done, number in enumerate(to_read, 1):
        show(f"Reading with entry {number} ({done} of {len(to_read)}) ...")
        probabilities = read(entries[number], images)
        right[number] = probabilities.argmax(axis=1) == labels
        if number == order[0]:
            best_read = probabilities
    found = [
        _findings(number, entries[number], data_set, met_by(entries[number]), right.get(number))
        for number in order
    ]
    best_met = met_by(entries[order[0]])
    all_met = bool(best_met.all())
    shown = ~best_met | all_met
    rows = data_set.indices("test")[shown]
    return found, BestFindings(found[0], rows, all_met, best_read[shown])


def _to_read(
    data_set: DataSet,
    collection: ModelCollection,
    order: list[int],
    met_by: Callable[[Entry], Flags],
) -> list[int]:
    """Numbers of the entries that must be read: the best, and those whose scores are of no use."""
    entries = collection.entries
    unread = [
        number
        for number in order
        if entries[number].data.fingerprint != data_set.fingerprint or met_by(entries[number]).any()
    ]
    return [order[0], *(number for number in unread[:MOST_READ] if number != order[0])]


def _findings(
    number: int, entry: Entry, data_set: DataSet, seen: Flags, right: Flags | None
) -> EntryFindings:
    scored_here = entry.data.fingerprint == data_set.fingerprint
    test = _proportion(entry.test)
    open_test, unmet = test if scored_here else None, None
    if right is not None:
        open_test = _counted(right)
        unmet = _counted(right[~seen])
    elif scored_here and not seen.any():
        unmet = test
    return EntryFindings(
        number=number,
        entry=entry,
        validation=_proportion(entry.validation),
        test=test,
        scored_here=scored_here,
        met=int(seen.sum()),
        open_test=open_test,
        unmet=unmet,
    )


def _proportion(score: Score) -> Proportion | None:
    return wilson(round(score.accuracy * score.images), score.images) if score.images else None


def _counted(right: Flags) -> Proportion | None:
    return wilson(int(right.sum()), len(right)) if len(right) else None


def by_class(data_set: DataSet, best: BestFindings) -> list[Proportion | None]:
    """Accuracy of each class on the images that the best entry is looked at on.

    Args:
        data_set: of C classes.
        best: what the best entry read.

    Returns:
        C proportions; None for a class without images.
    """
    labels = data_set.labels[best.rows]
    right = best.probabilities.argmax(axis=1) == labels
    classes = len(data_set.classes)
    images = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[right], minlength=classes)
    return [
        wilson(int(hit), int(count)) if count else None
        for hit, count in zip(hits, images, strict=True)
    ]


def confused_pairs(data_set: DataSet, best: BestFindings) -> tuple[ConfusedPair, ...]:
    """The pairs of classes that are confused most often.

    Args:
        data_set: the open one.
        best: what the best entry read.

    Returns:
        Most frequent first; 10 at most.
    """
    return recognition.most_confused(
        best.probabilities.argmax(axis=1),
        data_set.labels[best.rows],
        len(data_set.classes),
        CONFUSED_PAIRS,
    )


def worst_misread(data_set: DataSet, best: BestFindings, most: int) -> list[Misread]:
    """The images that are taken for something else with the highest probability.

    Args:
        data_set: the open one.
        best: what the best entry read.
        most: how many at most.

    Returns:
        Worst first.
    """
    labels = data_set.labels[best.rows]
    taken_for = best.probabilities.argmax(axis=1)
    images = np.arange(len(labels))
    surest = best.probabilities[images, taken_for]
    of_label = best.probabilities[images, labels]
    wrong = np.flatnonzero(taken_for != labels)
    order = wrong[np.argsort(-surest[wrong], kind="stable")][:most]
    return [
        Misread(
            int(best.rows[place]),
            int(labels[place]),
            int(taken_for[place]),
            float(surest[place]),
            float(of_label[place]),
        )
        for place in order
    ]


def rows_to_map(data_set: DataSet, rows: Indices, seed: int) -> Indices:
    """Choose images for a map, at random, of `MAPPED_CLASSES` classes at most.

    Args:
        data_set: where they are.
        rows: int64 (N,), the images to choose from.
        seed: of the choice, 0 or more.

    Returns:
        int64 (M,), rising, M at most `MAPPED_IMAGES`.
    """
    classes = np.unique(data_set.labels[rows])
    chosen = classes[spread(len(classes), MAPPED_CLASSES)]
    rows = rows[np.isin(data_set.labels[rows], chosen)]
    random = np.random.default_rng(seed)
    return np.sort(random.permutation(rows)[:MAPPED_IMAGES]).astype(np.int64)


def spread(count: int, most: int) -> Indices:
    """Numbers that lie evenly from 0 to one below a count.

    Args:
        count: 0 or more.
        most: how many numbers at most.

    Returns:
        int64 (M,), rising; all of them where there are not more than `most`.
    """
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.linspace(0, count - 1, most).round().astype(np.int64)


def map_images(vectors: npt.NDArray[np.floating], seed: int) -> ImageMap:
    """Bring vectors of images down to two dimensions.

    Args:
        vectors: floats (N, D), N and D at least 1.
        seed: of t-SNE, 0 or more.

    Returns:
        Where each image lies, and what was computed.
    """
    components = embedding.principal_components(vectors, COMPONENTS_BEFORE_T_SNE)
    first, second = (float(share) for share in components.shares[:2])
    neighbours = embedding.t_sne(components.points, seed)
    return ImageMap(components.points[:, :2], (first, second), neighbours)


def penultimate_features(entry: Entry, class_count: int, images: Images) -> npt.NDArray[np.float32]:
    """What reaches the softmax of an entry's network, each image read where it is.

    Args:
        entry: with its weights.
        class_count: number of classes.
        images: uint8 (N, 28, 28).

    Returns:
        float32 (N, D).
    """
    import keras

    import cnn_model

    network = cnn_model.build_network(entry.layers, class_count)
    cnn_model.set_weights(network, entry.weights)
    return cnn_model.predict(keras.Model(network.input, network.layers[-1].input), images)


def first_filters(entry: Entry, class_count: int) -> npt.NDArray[np.float32] | None:
    """The filters that an entry's network lays on the image itself.

    Args:
        entry: with its weights.
        class_count: of its collection.

    Returns:
        float32 (rows, columns, filters), or None where its first layer with weights, those of
        normalization apart, is no convolution.
    """
    first = _first_with_kernel(entry.layers)
    if not isinstance(first, Conv2D):
        return None
    shape = (*first.kernel_size, 1, first.filters)
    arrays = layer_lists.weight_arrays(entry.layers, class_count)
    kernel = next(
        weights
        for array, weights in zip(arrays, entry.weights, strict=True)
        if array.shape == shape
    )
    return kernel[:, :, 0].astype(np.float32)


def _first_with_kernel(layers: tuple[Layer, ...]) -> Layer | None:
    kinds = network_layers.LAYER_TYPES
    with_kernels = tuple(
        kinds[name] for name in ("conv2d", "separableconv2d", "dense", "squeezeexcitation")
    )
    for layer in layers:
        if isinstance(layer, Residual):
            inner = _first_with_kernel(layer.layers)
            if inner is not None:
                return inner
        elif isinstance(layer, with_kernels):
            return layer
    return None
