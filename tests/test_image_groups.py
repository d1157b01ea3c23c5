"""Tests of groups: images of one hand are never in two splits, whatever their classes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import data_parser
import image_groups
from data_formats import image_folder
from data_formats.problems import Problem
from errors import DataError

SHARES = {"training": 64, "validation": 16, "test": 10, "generator": 10}
NAMES = ("A/01.png", "A/02.png", "B/01.png", "B/03.png", "B/sub/02.jpeg")


def partition(groups: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == group).tolist()) for group in set(groups.tolist())}


# ------------------------------------------------------------------------- patterns


def test_a_folder_above_the_classes_can_name_the_hand(tmp_path: Path) -> None:
    for writer, hand in enumerate(("anna", "bob", "cleo", "dora", "emil")):
        for name in "AB":
            folder = tmp_path / "set" / hand / name
            folder.mkdir(parents=True)
            for number in range(3):
                grey = np.full((40, 40), 255, np.uint8)
                grey[10:30, 4 + number : 8 + number + 3 * writer] = 0
                Image.fromarray(grey).save(folder / f"{number}.png")
    data_set = data_parser.open_data_set(tmp_path / "set", group=r"^(\w+)/")
    assert data_set.split_by == "group"
    assert sorted(data_set.counts().values()) == [6, 6, 6, 12]  # six images a hand
    assert "--group: the images make 5 groups of 6 images" in data_set.notes
    assert any("the 5 folders above them, such as anna, tell none" in n for n in data_set.notes)
    alone = data_parser.open_data_set(tmp_path / "set", group=".*")
    assert "--group: the images make 30 groups of 1 image" in alone.notes
    one_hand = image_folder.read(tmp_path / "set" / "anna", True)
    assert not any("folders above" in note for note in one_hand.notes)


@pytest.mark.parametrize(
    ("pattern", "together"),
    [
        ("file", [{0, 2}, {1, 4}, {3}]),
        (r"(\d+)\.", [{0, 2}, {1, 4}, {3}]),
        (r"^\w", [{0, 1}, {2, 3, 4}]),
        (r"(x)?\.(png|jpeg)", [{0, 1, 2, 3, 4}]),
    ],
)
def test_a_pattern_says_which_images_belong_together(
    pattern: str, together: list[set[int]]
) -> None:
    groups = image_groups.groups_of(NAMES, pattern)
    assert groups.dtype == np.int64 and groups.min() == 0
    assert partition(groups) == set(map(frozenset, together))


@pytest.mark.parametrize(
    ("names", "pattern", "said"),
    [
        (NAMES, "(", r"--group '\(' is no regular expression: .*unterminated"),
        (NAMES, "png", "--group 'png' is not found in the file name 'B/sub/02.jpeg'"),
        ((), "file", "--group needs file names, which only folders and archives"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_quoted(
    names: tuple[str, ...], pattern: str, said: str
) -> None:
    with pytest.raises(Problem, match=said):
        image_groups.groups_of(names, pattern)


# ------------------------------------------------------------------------- splits


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=4, max_size=60), st.integers(0, 1000))
def test_groups_stay_whole_and_no_split_is_empty(sizes: list[int], seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    dealt = image_groups.deal_groups(groups, SHARES, np.random.default_rng(seed))
    assert all(len(set(dealt[groups == group].tolist())) == 1 for group in set(groups.tolist()))
    assert set(dealt.tolist()) == {0, 1, 2, 3}


def test_many_groups_meet_the_shares_and_the_seed_decides() -> None:
    random = np.random.default_rng(0)
    groups = random.permutation(np.repeat(np.arange(400), random.integers(1, 20, 400)))
    dealt = [
        image_groups.deal_groups(groups, SHARES, np.random.default_rng(seed)) for seed in (1, 1, 2)
    ]
    counts = np.bincount(dealt[0]) / len(groups)
    assert counts == pytest.approx([0.64, 0.16, 0.1, 0.1], abs=0.01)
    assert np.array_equal(dealt[0], dealt[1]) and not np.array_equal(dealt[0], dealt[2])


def test_fewer_groups_than_splits_are_said() -> None:
    with pytest.raises(Problem, match="make 3 groups, too few for 4 splits"):
        image_groups.deal_groups(np.array([0, 1, 2, 2]), SHARES, np.random.default_rng(0))


def drawers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups of three letters that so many drawers drew once each."""
    return np.tile(np.arange(3), count), np.repeat(np.arange(count), 3)


def test_a_data_set_is_split_by_drawers() -> None:
    labels, groups = drawers(20)
    splits = data_parser.split_data(
        labels, np.zeros(60, bool), "abc", 5, file_split=False, groups=groups
    )
    rows = [getattr(splits, name) for name in data_parser.SPLIT_NAMES]
    assert sorted(np.concatenate(rows).tolist()) == list(range(60))
    found = [set(groups[index].tolist()) for index in rows]
    assert sum(map(len, found)) == 20  # no drawer is in two splits
    assert [len(drawn) for drawn in found] == [13, 3, 2, 2]


def test_the_files_own_test_rows_stay_the_test_split() -> None:
    labels, groups = drawers(20)
    in_test = groups >= 15
    splits = data_parser.split_data(labels, in_test, "abc", 5, file_split=True, groups=groups)
    assert splits.test.tolist() == list(range(45, 60))
    assert not set(groups[splits.training]) & set(groups[splits.validation])
    assert Counter(groups[splits.training].tolist()).most_common(1)[0][1] == 3


def test_a_group_on_both_sides_of_the_files_split_is_said() -> None:
    labels, groups = drawers(20)
    in_test = np.arange(60) >= 46
    with pytest.raises(DataError, match="1 of its groups has images among its own test rows and"):
        data_parser.split_data(labels, in_test, "abc", 5, file_split=True, groups=groups)


def test_a_class_that_few_drew_is_said_where_a_split_lacks_it() -> None:
    labels, groups = drawers(20)
    labels[6:] %= 2  # the third letter is drawn by two alone
    with pytest.raises(DataError, match="the class 'c' has no image in the groups that the"):
        data_parser.split_data(
            labels, np.zeros(60, bool), "abc", 5, file_split=False, groups=groups
        )
