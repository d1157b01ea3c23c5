"""Tests of reports: what they state, and how they are written."""

import dataclasses
import io
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from data_parser import DataSet, split_data
from errors import UserError
from evaluation import overlap
from evaluation.class_labels import class_labels
from evaluation.recognition import Score
from model_collection import DataOrigin, Entry, EpochScores, ModelCollection, network_of
from reports import findings
from reports.findings import BestFindings, EntryFindings, read_entries
from reports.page import Table
from reports.report import NO_ENTRIES, write_report
from reports.sections import PictureFolder, best_section
from settings import layer_lists
from settings.network_layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    MaxPooling,
    Residual,
    SeparableConv2D,
    Variant,
)
from tests.conftest import MakeDataSet
from tests.entries import an_entry
from tests.html_pages import Page

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

ATTACK = "<script>alert(1)</script>"
STRANGE_CLASSES = (ATTACK, "ܐܠܦ", "漢字", "a rather long name of a class & more", "$x_1$")
CONVOLUTIONAL: Variant = (BatchNormalization(), Conv2D(3, (3, 3)), MaxPooling((4, 4)), Flatten())
DENSE: Variant = (Flatten(), Dense(4))


def renamed(data_set: DataSet, classes: Sequence[str]) -> DataSet:
    return DataSet(
        data_set.images,
        data_set.labels,
        tuple(classes),
        data_set.splits,
        data_set.source,
        data_set.split_by,
        data_set.seed,
    )


def random_weights(layers: Variant, classes: int) -> tuple[npt.NDArray[np.float32], ...]:
    random = np.random.default_rng(len(layers))
    arrays = layer_lists.weight_arrays(layers, classes)
    return tuple(
        np.abs(random.normal(0.3, 0.2, array.shape)).astype(np.float32)
        if len(array.shape) == 1
        else random.normal(0, 0.2, array.shape).astype(np.float32)
        for array in arrays
    )


def entry_of(data_set: DataSet, number: int, layers: Variant = DENSE, **changed: Any) -> Entry:
    """An entry that says it was scored on a data set; the lower its number, the better it is."""
    values: dict[str, Any] = {
        "layers": layers,
        "validation": Score(0.9 - number / 1000, 0.5, 1000),
        "test": Score(0.8, 0.5, 1000),
        "history": (EpochScores(0.5, 1.0, 0.6, 0.9), EpochScores(0.7, 0.8, 0.8, 0.7)),
        "data": DataOrigin("letters.mat", data_set.fingerprint, "seed", 1, 300),
        "weights": random_weights(layers, len(data_set.classes)),
    }
    return an_entry(number, **values | changed)


def elsewhere(number: int, data_set: DataSet, layers: Variant = DENSE) -> Entry:
    return entry_of(
        data_set, number, layers, data=DataOrigin("others.mat", "1" * 64, "seed", 1, 300)
    )


def collection_of(data_set: DataSet, *entries: Entry, used: Iterable[int] = ()) -> ModelCollection:
    """A collection of entries that have met some rows of a data set."""
    keys = overlap.image_keys(data_set.images[list(used)])
    return ModelCollection(
        data_set.classes, list(entries), {entry.data.fingerprint: keys for entry in entries}
    )


class Reader:
    """Stands for a network: sees the bars of `make_data_set`, and takes some classes for others."""

    def __init__(self, classes: int, taken_for: dict[int, int] | None = None) -> None:
        self.read: list[int] = []
        self._classes = classes
        self._taken_for = taken_for or {}

    def __call__(self, entry: Entry, images: Images) -> Probabilities:
        self.read.append(len(images))
        ink = [images[:, 2, 2 + 3 * index].astype(int) for index in range(self._classes)]
        seen = np.stack(ink, axis=1).argmax(axis=1)
        taken = np.array([self._taken_for.get(int(index), int(index)) for index in seen])
        probabilities = np.full((len(images), self._classes), 0.1, np.float32)
        # The later an image comes, the surer the reading is.
        probabilities[np.arange(len(images)), taken] = 1 + np.arange(len(images))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities


def refuse(entry: Entry, images: Images) -> Probabilities:
    raise AssertionError("no entry should be read")


def read_by_network(entry: Entry, images: Images) -> Probabilities:
    import cnn_model

    return cnn_model.predict(network_of(entry, entry.weights[-1].size), images)


def found_in(
    data_set: DataSet, collection: ModelCollection, reader: Reader
) -> tuple[list[EntryFindings], BestFindings]:
    return read_entries(data_set, collection, reader, lambda doing: None)


@pytest.fixture(scope="module")
def strange(make_data_set: MakeDataSet) -> DataSet:
    """Five classes, with names in several scripts, one of which is a script for browsers."""
    return renamed(make_data_set("ABCDE", 20), STRANGE_CLASSES)


@pytest.fixture(scope="module")
def full(strange: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a report on strange classes, two networks, and test images that one has met."""
    met = strange.splits.test[[0, 9]]
    collection = collection_of(
        strange, entry_of(strange, 1), elsewhere(0, strange, CONVOLUTIONAL), used=met
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # such as missing glyphs
        folder = tmp_path_factory.mktemp("full") / "report"
        return write_report(strange, collection, folder, seed=1, read=read_by_network)


def test_the_page_is_whole_and_holds_the_pictures_beside_it(full: Path) -> None:
    page = Page(full.read_text(encoding="utf-8"))
    files = sorted((full.parent / "pictures").iterdir())
    assert {file.stem for file in files} == {
        "accuracy-by-class",
        "accuracy-of-entries",
        "class-counts",
        "confusion-matrix",
        "examples",
        "filters",
        "learning-curves",
        "map-of-features",
        "map-of-pixels",
        "misread",
    }
    assert sorted(page.pictures) == sorted(file.read_bytes() for file in files)
    for content in page.pictures:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            assert picture.format == "PNG" and len(picture.getcolors(10**6) or range(99)) > 2


def test_names_of_classes_are_texts_in_any_script(full: Path) -> None:
    page = Page(full.read_text(encoding="utf-8"))
    assert page.count("script") == 0
    for name in STRANGE_CLASSES:
        assert page.texts.count(name) >= 2  # among the counts, and by class


def test_the_page_says_on_what_its_figures_stand(full: Path) -> None:
    text = Page(full.read_text(encoding="utf-8")).text
    assert "Report on letters.mat" in text
    assert "100 images of 5 classes, 20 of each. They are divided" in text
    assert "Entry 1 is the best of 2 by validation accuracy" in text
    assert "90.00% (88.0 to 91.7) of 1,000" in text
    assert "1 of 2 entries, on others.mat. Their validation and test accuracies are from" in text
    assert "2 of 2 entries, up to 2 of the 10 images." in text
    assert "8 images of the test split, without the 2 others that took part in" in text
    captions = re.findall(r"<figcaption>([^<]*)</figcaption>", full.read_text(encoding="utf-8"))
    assert len(captions) > 10
    assert all(
        re.search(r"\d+ \w*\s?(images|filters)|images in the table|networks: 2|how many images", c)
        for c in captions
    )


def test_one_image_that_the_best_entry_has_met_is_the_other_one(
    strange: DataSet, tmp_path: Path
) -> None:
    entries = [elsewhere(1, strange)]
    entries += [
        entry_of(strange, n, data=DataOrigin(f"{n}.mat", f"{n}" * 64, "seed", 1, 300))
        for n in range(2, 7)
    ]
    used = strange.indices("test")[:1]
    made = write_report(
        strange,
        collection_of(strange, *entries, used=used),
        tmp_path / "report",
        seed=1,
        read=Reader(len(strange.classes)),
    )
    text = Page(made.read_text(encoding="utf-8")).text
    assert "9 images of the test split, without the other one that took part in" in text
    assert "5.mat and 1 other. Their validation" in text
    assert "1 others" not in text


def test_where_classes_have_different_numbers_of_images_the_median_is_named(
    data_set: DataSet, tmp_path: Path
) -> None:
    rows = np.r_[0:100]  # 40 of A, 40 of B, 20 of C
    labels = data_set.labels[rows]
    splits = split_data(labels, np.arange(len(rows)) % 5 == 0, data_set.classes, 1)
    uneven = dataclasses.replace(
        data_set, images=data_set.images[rows], labels=labels, splits=splits
    )
    made = write_report(
        uneven, ModelCollection(uneven.classes), tmp_path / "report", seed=1, read=refuse
    )
    text = Page(made.read_text(encoding="utf-8")).text
    assert "100 images of 3 classes, 20 to 40 of each (median 40). They are divided" in text


def test_without_entries_the_report_is_about_the_data_alone(
    strange: DataSet, tmp_path: Path
) -> None:
    made = write_report(
        strange, ModelCollection(strange.classes), tmp_path / "report", seed=1, read=refuse
    )
    page = Page(made.read_text(encoding="utf-8"))
    assert NO_ENTRIES in page.text
    assert len(page.pictures) == 3
    assert page.count("script") == 0


def test_the_same_seed_gives_the_same_report(data_set: DataSet, tmp_path: Path) -> None:
    nothing = ModelCollection(data_set.classes)
    pages = [
        write_report(data_set, nothing, tmp_path / name, seed=seed, read=refuse).read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert pages[0] == pages[1] != pages[2]


def test_nothing_is_written_over(data_set: DataSet, tmp_path: Path) -> None:
    nothing = ModelCollection(data_set.classes)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("kept")
    (tmp_path / "report-2").write_text("kept")
    made = write_report(data_set, nothing, tmp_path / "report", seed=1, read=refuse)
    assert made == tmp_path / "report-3" / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "state") == [
        "report",
        "report-2",
        "report-3",
    ]
    assert (tmp_path / "report" / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize("name", ["file/report", "nul\0l", "n" * 300])
def test_a_place_that_cannot_be_written_is_named(
    data_set: DataSet, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match=r"the report cannot be written in .*; give another folder"):
        write_report(
            data_set, ModelCollection(data_set.classes), tmp_path / name, seed=1, read=refuse
        )
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == ["file"]


def test_the_topmost_folder_is_refused_in_plain_words(data_set: DataSet) -> None:
    with pytest.raises(UserError, match="in '/': no new folder can have that name; give another"):
        write_report(data_set, ModelCollection(data_set.classes), Path("/"), seed=1, read=refuse)


def test_a_name_from_right_to_left_leaves_the_arrow_before_it(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation import report_plots

    seen: list[str] = []
    draw = report_plots.plot_misread

    def plot_misread(images: Images, captions: Sequence[tuple[str, str]], path: Path) -> None:
        seen.extend(caption for _, caption in captions)
        draw(images, captions, path)

    monkeypatch.setattr("reports.best_section.plot_misread", plot_misread)
    hebrew = renamed(data_set, ("שלום", "B", "C"))
    collection = collection_of(hebrew, entry_of(hebrew, 0))
    _, best = found_in(hebrew, collection, Reader(3, {1: 0}))
    labels = class_labels(hebrew.classes)
    section = best_section(hebrew, labels, best, PictureFolder(tmp_path))
    assert seen and section.blocks
    # A mark on each side: without them the whole line would be turned round.
    assert all(re.fullmatch("→ \u200eשלום\u200e \\d+%", caption) for caption in seen)


@pytest.mark.parametrize("named", [True, False])
def test_misread_images_are_told_by_their_files_where_they_have_any(
    data_set: DataSet, tmp_path: Path, named: bool
) -> None:
    names = tuple(f"scans/{row}.png" for row in range(len(data_set.images))) if named else ()
    known = dataclasses.replace(data_set, names=names)
    collection = collection_of(known, entry_of(known, 0))
    _, best = found_in(known, collection, Reader(3, {1: 0}))
    section = best_section(known, class_labels(known.classes), best, PictureFolder(tmp_path))
    table = next(
        block
        for block in section.blocks
        if isinstance(block, Table) and block.caption.startswith("The worst misread")
    )
    first = findings.worst_misread(known, best, 1)[0].row
    assert table.headings[0] == ("Picture" if named else "Row of the data set")
    assert table.rows[0][0] == (f"scans/{first}.png" if named else f"{first}")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_a_report_that_is_broken_off_leaves_nothing(
    data_set: DataSet, tmp_path: Path, failure: type[BaseException]
) -> None:
    def fail(entry: Entry, images: Images) -> Probabilities:
        raise failure

    collection = collection_of(data_set, entry_of(data_set, 0))
    with pytest.raises(failure):
        write_report(data_set, collection, tmp_path / "report", seed=1, read=fail)
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == []


def test_a_collection_for_other_classes_is_refused(data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other classes"):
        write_report(data_set, ModelCollection(("X", "Y")), tmp_path, seed=1, read=refuse)


def test_a_missing_library_for_t_sne_is_said_in_one_line(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    nothing = ModelCollection(data_set.classes)
    made = write_report(data_set, nothing, tmp_path / "report", seed=1, read=refuse)
    text = Page(made.read_text(encoding="utf-8")).text
    assert "t-SNE is not shown, for it needs scikit-learn: python -m pip install" in text


def test_scores_taken_on_the_open_data_set_are_not_taken_again(data_set: DataSet) -> None:
    reader = Reader(3)
    entries = [entry_of(data_set, number) for number in range(3)]
    found, best = found_in(data_set, collection_of(data_set, *entries), reader)
    assert len(reader.read) == 1  # the best one, for what it confuses
    assert [each.number for each in found] == [0, 1, 2]
    assert all(each.scored_here and each.met == 0 for each in found)
    assert found[1].test == found[1].open_test == found[1].unmet
    assert found[1].test is not None and found[1].test.right == 800
    assert best.rows.tolist() == data_set.splits.test.tolist()


def test_entries_scored_elsewhere_are_read_on_the_open_test_split(data_set: DataSet) -> None:
    reader = Reader(3, {2: 0})
    entries = [elsewhere(number, data_set) for number in range(3)]
    found, _ = found_in(data_set, collection_of(data_set, *entries), reader)
    images = len(data_set.splits.test)
    assert reader.read == [images] * 3
    for each in found:
        assert not each.scored_here
        assert each.test is not None and each.test.images == 1000
        assert each.open_test is not None and each.open_test == each.unmet
        assert (each.open_test.right, each.open_test.images) == (images * 2 // 3, images)


def test_the_best_of_many_entries_are_read(data_set: DataSet) -> None:
    reader = Reader(3)
    entries = [elsewhere(number, data_set) for number in reversed(range(30))]
    found, _ = found_in(data_set, collection_of(data_set, *entries), reader)
    assert len(reader.read) == findings.MOST_READ
    assert [each.number for each in found] == list(reversed(range(30)))
    read = [each.open_test is not None for each in found]
    assert read == [True] * findings.MOST_READ + [False] * 10


def test_images_that_were_met_are_counted_and_left_out(data_set: DataSet) -> None:
    test = data_set.splits.test
    met = [*test[data_set.labels[test] == 2], *data_set.splits.training]
    collection = collection_of(data_set, entry_of(data_set, 0), used=met)
    found, best = found_in(data_set, collection, Reader(3, {2: 0}))
    assert found[0].met == len(test) // 3
    assert found[0].open_test is not None and found[0].open_test.images == len(test)
    assert found[0].unmet is not None and found[0].unmet.share == 1
    assert not best.all_met and not set(best.rows) & set(met)
    assert findings.by_class(data_set, best)[2] is None


def test_where_all_images_were_met_that_is_said(data_set: DataSet) -> None:
    collection = collection_of(data_set, entry_of(data_set, 0), used=data_set.splits.test)
    found, best = found_in(data_set, collection, Reader(3))
    assert found[0].unmet is None and found[0].met == len(data_set.splits.test)
    assert best.all_met and len(best.rows) == len(data_set.splits.test)


def test_errors_are_listed_surest_first(data_set: DataSet) -> None:
    collection = collection_of(data_set, entry_of(data_set, 0))
    _, best = found_in(data_set, collection, Reader(3, {2: 0, 1: 2}))
    test = data_set.splits.test
    wrong = test[data_set.labels[test] > 0]
    misread = findings.worst_misread(data_set, best, 3)
    assert [each.row for each in misread] == wrong[::-1][:3].tolist()
    assert all((each.label, each.taken_for) == (2, 0) for each in misread)
    assert misread[0].probability > misread[1].probability > misread[1].of_label
    pairs = findings.confused_pairs(data_set, best)
    images = len(test) // 3
    assert [(each.label, each.taken_for, each.count, each.images) for each in pairs] == [
        (1, 2, images, images),
        (2, 0, images, images),
    ]
    shares = [each and each.share for each in findings.by_class(data_set, best)]
    assert shares == [1, 0, 0]


def test_maps_show_the_classes_evenly_and_not_too_many_images() -> None:
    classes = [f"class {number}" for number in range(100)]
    labels = np.repeat(np.arange(100), 20).astype(np.int32)
    splits = split_data(labels, np.zeros(2000, bool), classes, 1)
    images = np.zeros((2000, 28, 28), np.uint8)
    data_set = DataSet(images, labels, tuple(classes), splits, Path("many.npz"), "seed", 1)
    rows = findings.rows_to_map(data_set, np.arange(2000), 1)
    assert len(rows) == findings.MAPPED_IMAGES
    shown = np.unique(labels[rows])
    assert len(shown) == findings.MAPPED_CLASSES
    assert (shown[0], shown[-1]) == (0, 99)


def test_features_are_what_the_last_layer_sees(data_set: DataSet) -> None:
    entry = entry_of(data_set, 0, CONVOLUTIONAL)
    images = data_set.images[:4]
    features = findings.penultimate_features(entry, 3, images)
    kernel, bias = entry.weights[-2:]
    powers = np.exp(features @ kernel + bias)
    np.testing.assert_allclose(
        powers / powers.sum(axis=1, keepdims=True), read_by_network(entry, images), rtol=1e-4
    )


def test_filters_are_those_laid_on_the_image_itself(data_set: DataSet) -> None:
    entry = entry_of(data_set, 0, CONVOLUTIONAL)
    filters = findings.first_filters(entry, 3)
    assert filters is not None and filters.shape == (3, 3, 3)
    np.testing.assert_array_equal(filters, entry.weights[4][:, :, 0])
    within = entry_of(data_set, 0, (Residual((Conv2D(2, (5, 5)),)), Flatten()))
    filters = findings.first_filters(within, 3)
    assert filters is not None and filters.shape == (5, 5, 2)


@pytest.mark.parametrize(
    "layers", [DENSE, (SeparableConv2D(2, (3, 3)), Conv2D(2, (3, 3)), Flatten())]
)
def test_other_networks_have_no_filters_to_show(data_set: DataSet, layers: Variant) -> None:
    assert findings.first_filters(entry_of(data_set, 0, layers), 3) is None


def test_many_classes_are_shown_in_part_and_that_is_said(tmp_path: Path) -> None:
    classes = tuple(chr(0x4E00 + number) for number in range(120))
    labels = np.repeat(np.arange(120), 5).astype(np.int32)
    images = np.random.default_rng(1).integers(0, 255, (600, 28, 28), dtype=np.uint8)
    splits = split_data(labels, np.zeros(600, bool), classes, 1)
    data_set = DataSet(images, labels, classes, splits, Path("many.npz"), "seed", 1)
    collection = collection_of(data_set, entry_of(data_set, 0))
    made = write_report(data_set, collection, tmp_path / "report", seed=1, read=read_by_network)
    page = Page(made.read_text(encoding="utf-8"))
    assert "the 50 classes with most images and the 50 with fewest, of 120," in page.text
    assert "each of 100 of the 120 classes" in page.text
    assert "Confusion matrix of the 60 classes with most errors" in page.text
    assert "the 60 classes that are read worst" in page.text
    assert all(name in page.texts for name in classes)


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Opens a page in a browser without a screen, and returns what has become of it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"THE REPORT WAS NOT LOOKED AT IN A BROWSER: none of {BROWSERS} is installed")
    folder = tmp_path_factory.mktemp("browser")

    def opened(html: str) -> str:
        (folder / "outer.html").write_text(html, encoding="utf-8")
        return subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--allow-file-access-from-files",
                "--virtual-time-budget=20000",
                f"--user-data-dir={folder / 'profile'}",
                "--dump-dom",
                (folder / "outer.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=240,
            check=True,
        ).stdout

    return opened


MEASURE = """<!DOCTYPE html><meta charset="utf-8"><body>
<iframe id="report" src="PAGE" style="border:0; width:WIDTHpx; height:2000px"></iframe>
<script>
document.getElementById("report").onload = function () {
  const inner = this.contentDocument;
  const images = [...inner.images];
  document.body.dataset.found = [
    inner.documentElement.scrollWidth,
    images.filter(image => image.naturalWidth > 100).length,
    images.filter(image => image.getBoundingClientRect().right > WIDTH).length,
    inner.scripts.length,
  ].join(" ");
};
</script></body>"""


@pytest.mark.parametrize("width", [320, 1200])
def test_a_browser_shows_the_page_at_any_width(
    full: Path, browse: Callable[[str], str], width: int
) -> None:
    html = MEASURE.replace("PAGE", full.as_uri()).replace("WIDTH", f"{width}")
    found = re.search('data-found="([0-9 ]*)"', browse(html))
    assert found is not None
    widest, images, sticking_out, scripts = map(int, found[1].split())
    assert widest <= width
    assert (images, sticking_out, scripts) == (10, 0, 0)
