"""What glyph_dataset promises, tried on tiny fonts made here and on the file that is shipped.

The fonts' characters are a stem with bars that spell the character's number in binary; the bars of
lower-case letters point to the left, so that no letter looks like its other case.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import data_parser
import glyph_dataset
from errors import DataError, UserError
from fonts import characters, hands, sharing, typefaces

pytest.importorskip("PIL")
pytest.importorskip("fontTools")

SHIPPED = Path(__file__).parents[1] / "dataset" / "letters-small.mat"
EVERYTHING = characters.CHARACTERS
UNITS = 1000


def _glyph(code: int, height: int, bars: bool = True) -> object:
    """A stem as high as asked, with a bar for each bit that is set."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    boxes = [(0, 0, 90, height)] if bars else []
    step = height / 7
    for bit in range(7):
        if bars and code >> bit & 1:
            boxes.append((89, int(bit * step), 400, int(bit * step + step * 0.6)))
    if chr(code).islower():
        boxes = [(400 - right, bottom, 400 - left, top) for left, bottom, right, top in boxes]
    for left, bottom, right, top in boxes:
        pen.moveTo((left, bottom))
        for corner in ((left, top), (right, top), (right, bottom)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def make_font(
    path: Path,
    family: str,
    characters: Iterable[str] = EVERYTHING,
    *,
    blank: str = "",
    box: str = "",
    same: str = "",
    small_capitals: str = "",
    height: int = 700,
    flavor: str | None = None,
) -> Path:
    """Write a font; `blank`, `box` and `same` name characters that are mapped but not drawn."""
    from fontTools.fontBuilder import FontBuilder

    names = {c: f"u{ord(c):04X}" for c in characters}
    glyphs = {".notdef": _glyph(127, height)}
    for character, name in names.items():
        code, tall = ord(character), height
        if character in small_capitals:
            code, tall = ord(character.upper()), height * 2 // 3
        code = 127 if character in box else 1 if character in same else code
        glyphs[name] = _glyph(code, tall, bars=character not in blank)
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(c): name for c, name in names.items()})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (500, 0) for name in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.font.flavor = flavor
    builder.save(path)
    return path


def _three_families(folder: Path) -> Path:
    """Make a folder with three families, one of them in two weights, one in a subfolder."""
    (folder / "more").mkdir(parents=True)
    make_font(folder / "one.ttf", "One")
    make_font(folder / "one-tall.ttf", "One", height=800)
    make_font(folder / "two.woff", "Two", height=600, flavor="woff")
    make_font(folder / "more" / "three.TTF", "Three", height=650)
    return folder


@pytest.fixture
def fonts(tmp_path: Path) -> Path:
    """A folder with three families, to be changed by the test."""
    return _three_families(tmp_path / "fonts")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> glyph_dataset.GlyphDataset:
    """Two images a class from three families, by seed 4."""
    folder = _three_families(tmp_path_factory.mktemp("drawn") / "fonts")
    return glyph_dataset.make_dataset(folder, per_class=2, seed=4)


def test_classes_are_those_of_emnist_balanced() -> None:
    assert "".join(characters.CLASSES) == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    assert characters.characters_of("C") == "Cc"
    assert characters.characters_of("A") == "A"
    assert characters.characters_of("a") == "a"


def test_images_are_like_emnist(drawn: glyph_dataset.GlyphDataset) -> None:
    images = np.concatenate([drawn.training_images, drawn.test_images])
    assert images.shape == (2 * 47, 28, 28)
    assert images.dtype == np.uint8
    assert (images.max(axis=(1, 2)) == 255).all()
    rim = np.concatenate([images[:, [0, -1]], images[:, :, [0, -1]].transpose(0, 2, 1)], axis=1)
    assert rim.max() < 64  # paper is 0, and nothing touches the rim
    assert (images < 128).mean() > 0.5
    assert ((images > 20) & (images < 235)).any(axis=(1, 2)).all()
    for image in images:
        box = [np.flatnonzero(image.max(axis=axis) > 60) for axis in (0, 1)]
        middles = [(side[0] + side[-1]) / 2 for side in box]
        assert middles == pytest.approx([13.5, 13.5], abs=1.5)
        assert 18 <= max(side[-1] - side[0] + 1 for side in box) <= 26


def test_images_stand_upright(tmp_path: Path) -> None:
    """The stem of '0' is at the left, and its two bars are in the upper half."""
    face = typefaces.read_typeface(make_font(tmp_path / "font.ttf", "Font"))
    jobs = [sharing.Job(0, "0", face)] * 20
    mean = glyph_dataset.draw_jobs(jobs, np.random.default_rng(0)).astype(float).mean(axis=0)
    # A lean to the right moves the foot of the stem to the left.
    assert mean[16:, :14].sum() > 2 * mean[16:, 14:].sum()
    assert mean[:14, 14:].sum() > 2 * mean[14:, 14:].sum()


def test_each_class_has_the_asked_number(fonts: Path) -> None:
    drawn = glyph_dataset.make_dataset(fonts, per_class=4, seed=0)
    assert set(np.bincount(drawn.training_labels, minlength=47)) == {3}
    assert set(np.bincount(drawn.test_labels, minlength=47)) == {1}


def test_training_and_test_share_no_family(drawn: glyph_dataset.GlyphDataset, fonts: Path) -> None:
    training, test = (
        {typefaces.read_typeface(path).family for path in set(paths)}
        for paths in (drawn.training_fonts, drawn.test_fonts)
    )
    assert training and test
    assert not training & test
    faces = [typefaces.read_typeface(path) for path in typefaces.find_font_files(fonts)]
    for seed in range(20):
        sides = sharing.split_families(faces, np.random.default_rng(seed))
        one, other = ({face.family for face in side} for side in sides)
        assert one and other and one | other == {"One", "Two", "Three"}
        assert not one & other


def test_seed_decides_every_pixel(drawn: glyph_dataset.GlyphDataset, fonts: Path) -> None:
    again = glyph_dataset.make_dataset(fonts, per_class=2, seed=4)
    assert np.array_equal(again.training_images, drawn.training_images)
    assert np.array_equal(again.test_images, drawn.test_images)
    assert np.array_equal(again.training_labels, drawn.training_labels)
    assert np.array_equal(again.test_labels, drawn.test_labels)
    other = glyph_dataset.make_dataset(fonts, per_class=2, seed=5)
    assert not np.array_equal(other.training_images, drawn.training_images)


def test_images_of_one_character_vary(tmp_path: Path) -> None:
    face = typefaces.read_typeface(make_font(tmp_path / "font.ttf", "Font"))
    images = glyph_dataset.draw_jobs([sharing.Job(11, "B", face)] * 8, np.random.default_rng(0))
    assert len({image.tobytes() for image in images}) == 8


def test_merged_letters_are_drawn_in_both_cases(fonts: Path) -> None:
    faces = [typefaces.read_typeface(fonts / "one.ttf")]
    jobs = sharing.plan_jobs(faces, 4, np.random.default_rng(0))
    written = {
        name: sorted(job.character for job in jobs if job.label == label)
        for label, name in enumerate(characters.CLASSES)
    }
    assert written["C"] == ["C", "C", "c", "c"]
    assert written["A"] == ["A"] * 4
    assert written["a"] == ["a"] * 4


def test_weights_of_a_family_share_its_turn(tmp_path: Path) -> None:
    faces = [
        typefaces.read_typeface(make_font(tmp_path / f"{n}.ttf", family))
        for n, family in enumerate(["Many", "Many", "Many", "Few"])
    ]
    jobs = sharing.plan_jobs(faces, 8, np.random.default_rng(0))
    assert sum(job.typeface.family == "Few" for job in jobs) == len(jobs) / 2


def test_missing_blank_and_box_glyphs_are_not_drawn(tmp_path: Path) -> None:
    rest = EVERYTHING.replace("7", "")
    font = make_font(tmp_path / "font.ttf", "Font", rest, blank="Q", box="x", same="rst")
    face = typefaces.read_typeface(font)
    assert set(face.missing) == set("7Qxrst")
    assert face.characters == set(EVERYTHING) - set("7Qxrst")


def test_small_capitals_are_not_drawn_as_lower_case(tmp_path: Path) -> None:
    some = make_font(tmp_path / "some.ttf", "Some", small_capitals="rc")
    face = typefaces.read_typeface(some)
    assert face.small_capitals == "r"  # 'c' shares the class of 'C', so its look is welcome
    assert "c" in face.characters and "r" not in face.characters
    every = make_font(tmp_path / "all.ttf", "All", small_capitals="abdefghnqrt")
    assert typefaces.read_typeface(every).small_capitals == "abdefghnqrt"


@pytest.mark.parametrize("flavor", ["woff", "woff2"])
def test_web_fonts_draw_what_plain_ones_draw(tmp_path: Path, flavor: str) -> None:
    if flavor == "woff2":
        pytest.importorskip("brotli")
    plain = typefaces.read_typeface(make_font(tmp_path / "plain.ttf", "Font"))
    web = typefaces.read_typeface(make_font(tmp_path / f"a.{flavor}", "Font", flavor=flavor))
    assert web.characters == plain.characters
    one, other = (
        glyph_dataset.draw_jobs([sharing.Job(0, "5", face)], np.random.default_rng(0))
        for face in (plain, web)
    )
    assert np.array_equal(one, other)


def test_emnist_image_centres_a_lone_dot() -> None:
    scan = np.zeros((40, 40), bool)
    scan[3, 35] = True
    image = hands.emnist_image(scan)
    assert image.shape == (28, 28)
    assert image.max() == 255
    rows, columns = np.nonzero(image == 255)
    assert (rows.mean(), columns.mean()) == pytest.approx((13.5, 13.5), abs=1)


def test_unreadable_fonts_are_reported_and_skipped(fonts: Path) -> None:
    (fonts / "broken.ttf").write_bytes(b"no font at all")
    (fonts / "empty.otf").write_bytes(b"")
    whole = (fonts / "one.ttf").read_bytes()
    (fonts / "half.ttf").write_bytes(whole[: len(whole) // 2])
    lines: list[str] = []
    drawn = glyph_dataset.make_dataset(fonts, per_class=2, report=lines.append)
    assert len(drawn.test_images) == 47
    for name in ("broken.ttf", "empty.otf", "half.ttf"):
        assert sum(name in line for line in lines) == 1
        with pytest.raises(DataError, match=name):
            typefaces.read_typeface(fonts / name)


def test_class_that_no_font_draws_is_named(tmp_path: Path) -> None:
    rest = EVERYTHING.replace("q", "")
    make_font(tmp_path / "one.ttf", "One", rest)
    make_font(tmp_path / "two.ttf", "Two", rest)
    with pytest.raises(DataError, match="class 'q'"):
        glyph_dataset.make_dataset(tmp_path, 2)


def test_class_of_one_family_cannot_be_split(tmp_path: Path) -> None:
    make_font(tmp_path / "one.ttf", "Lonely")
    make_font(tmp_path / "two.ttf", "Two", EVERYTHING.replace("8", ""))
    with pytest.raises(DataError, match=r"'Lonely'.*'8'"):
        glyph_dataset.make_dataset(tmp_path, 2)


def test_families_that_complete_each_other_are_split_well(tmp_path: Path) -> None:
    letters, digits = EVERYTHING[10:], EVERYTHING[:10]
    for number, drawn_by_it in enumerate([letters, digits, letters, digits]):
        make_font(tmp_path / f"{number}.ttf", f"Family {number}", drawn_by_it)
    drawn = glyph_dataset.make_dataset(tmp_path, 2)
    assert set(drawn.test_labels) == set(range(47))
    assert set(drawn.training_labels) == set(range(47))


@pytest.mark.parametrize(("per_class", "seed"), [(1, 0), (0, 0), (-5, 0), (2, -1)])
def test_numbers_out_of_range_are_refused(fonts: Path, per_class: int, seed: int) -> None:
    with pytest.raises(UserError, match=str(min(per_class, seed))):
        glyph_dataset.make_dataset(fonts, per_class, seed)


def test_missing_library_is_named_with_its_command(
    fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec

    def without(*names: str) -> None:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name in names else real(name)
        )

    without("PIL")
    with pytest.raises(UserError, match=r"Pillow.*pip install"):
        glyph_dataset.make_dataset(fonts, 2)
    without("brotli", "brotlicffi")
    (fonts / "late.woff2").write_bytes(b"anything")
    with pytest.raises(UserError, match=r"Brotli.*pip install"):
        glyph_dataset.make_dataset(fonts, 2)


def test_command_writes_a_file_that_opens(
    drawn: glyph_dataset.GlyphDataset,
    fonts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "made.mat"
    assert glyph_dataset.main([str(fonts), str(target), "--per-class", "2", "--seed", "4"]) == 0
    out = capsys.readouterr().out
    assert "47 training images" in out and "47 test images" in out
    train, test, classes = _read(target)
    assert classes == characters.CLASSES
    assert np.array_equal(train[0], drawn.training_images)
    assert np.array_equal(train[1], drawn.training_labels)
    assert np.array_equal(test[0], drawn.test_images)


def _read(
    path: Path,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], tuple[str, ...]]:
    """Read NIST's layout without the program: rows are images in column-major order."""
    from scipy.io import loadmat

    held = loadmat(path, simplify_cells=True)["dataset"]
    parts = [
        (
            held[name]["images"].reshape(-1, 28, 28).transpose(0, 2, 1),
            held[name]["labels"].ravel().astype(int),
        )
        for name in ("train", "test")
    ]
    return parts[0], parts[1], tuple(chr(code) for _, code in held["mapping"])


def _refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert glyph_dataset.main(argv) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("glyph_dataset.py: ") and shown.err.count("\n") == 1
    return shown.err


def test_existing_target_needs_force(
    fonts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "made.mat"
    target.write_bytes(b"precious")
    assert "--force" in _refused([str(fonts), str(target)], capsys)
    assert target.read_bytes() == b"precious"
    assert glyph_dataset.main([str(fonts), str(target), "--per-class", "2", "--force"]) == 0
    assert target.stat().st_size > 1000


def test_command_says_what_is_wrong(
    fonts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "made.mat")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "readme.txt").write_text("no font")
    assert "nowhere" in _refused([str(tmp_path / "nowhere"), target], capsys)
    assert "no font files" in _refused([str(empty), target], capsys)
    few = _refused([str(fonts), target, "--per-class", "1"], capsys)
    assert "--per-class: '1' is no whole number from 2 up" in few
    assert ".mat" in _refused([str(fonts), str(tmp_path / "made.txt")], capsys)
    assert "folder" in _refused([str(fonts), str(tmp_path / "no" / "made.mat")], capsys)
    (empty / "broken.ttf").write_bytes(b"no font")
    assert "class '0'" in _refused([str(empty), target], capsys)
    assert not Path(target).exists()


def test_shipped_file_is_what_its_readme_says() -> None:
    assert SHIPPED.stat().st_size < 2_000_000
    train, test, classes = _read(SHIPPED)
    assert classes == characters.CLASSES
    assert len(train[0]) == 3525 and len(test[0]) == 470
    assert set(np.bincount(train[1], minlength=47)) == {75}
    assert set(np.bincount(test[1], minlength=47)) == {10}
    images = np.concatenate([train[0], test[0]])
    assert images.dtype == np.uint8
    assert (images.max(axis=(1, 2)) == 255).all()
    assert 40 < images.mean() < 50  # EMNIST Balanced: 44
    assert len({image.tobytes() for image in images}) == len(images)
    readme = (SHIPPED.parent / "README.md").read_text(encoding="utf-8")
    assert "3,995 images" in readme and "Open Font License" in readme


def test_shipped_file_opens_in_the_program() -> None:
    held = data_parser.read_labelled_images(SHIPPED)
    assert len(held.images) == 3995
    assert tuple(held.classes) == characters.CLASSES
