"""Tests of a report in a real browser without a window: Chromium, where it is installed."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from data_parser import DataSet
from evaluation.recognition import Score
from model_collection import Entry, ModelCollection, network_of
from reports.report import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A page that shows the report in a frame and writes down what the browser made of it.
LOOKING = """<!doctype html><body><pre id="found">nothing</pre>
<iframe id="frame" src="{page}" style="width:{width}px;height:900px;border:0"></iframe>
<script>
document.getElementById("frame").onload = () => {{
  const report = document.getElementById("frame").contentDocument;
  document.getElementById("found").textContent = JSON.stringify({{
    mode: report.compatMode,
    title: report.title,
    pictures: [...report.images].map(i => [i.complete ? i.naturalWidth : 0, i.clientWidth]),
    shown: [...report.images].filter(i => i.clientHeight > 40).map(i => i.alt),
    tables: [...report.querySelectorAll("table")].map(t => t.rows.length),
    width: report.documentElement.clientWidth,
    needed: report.documentElement.scrollWidth,
    font: getComputedStyle(report.body).fontFamily,
    links: [...report.links].map(l => report.querySelector(l.hash) !== null),
    text: report.body.innerText,
  }});
}};
</script>
"""


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("reports are not tested in a browser: there is no Chromium")
    return found


def seen(page: Path, folder: Path, width: int) -> dict[str, Any]:
    """What a browser makes of a page in a window of that width."""
    looking = folder / "looking.html"
    looking.write_text(LOOKING.format(page=page.as_uri(), width=width), encoding="utf-8")
    command = [browser(), "--headless=new", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={folder / 'profile'}", "--allow-file-access-from-files"]
    command += ["--virtual-time-budget=20000", "--dump-dom", looking.as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None
    told: dict[str, Any] = json.loads(unescape(found[1]))
    return told


@pytest.fixture
def page(data_set: DataSet, tmp_path: Path) -> Path:
    """A report on a data set alone."""
    browser()
    return write_report(
        data_set,
        ModelCollection(data_set.classes),
        tmp_path / "report",
        seed=1,
        read=lambda entry, images: pytest.fail("there is no entry to read with"),
    )


def misreading(entry: Entry, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What the network of an entry reads, but each third image is taken for another class."""
    import cnn_model

    probabilities = cnn_model.predict(network_of(entry, len(entry.weights[-1])), images)
    probabilities[::3] = np.roll(probabilities[::3], 1, axis=1)
    return probabilities


@pytest.fixture
def page_on_networks(data_set: DataSet, trained: ModelCollection, tmp_path: Path) -> Path:
    """A report on two trained networks; the best, which makes mistakes, has filters."""
    browser()
    small, large = trained.entries
    best = replace(large, validation=Score(1.0, 0.0, small.validation.images))
    collection = ModelCollection(trained.classes, [small, best], trained.images_used)
    return write_report(data_set, collection, tmp_path / "report", seed=1, read=misreading)


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("which", ["page", "page_on_networks"])
def test_a_browser_shows_every_picture_and_needs_no_scrolling_sideways(
    request: pytest.FixtureRequest, tmp_path: Path, width: int, which: str
) -> None:
    found = seen(request.getfixturevalue(which), tmp_path, width)
    assert found["mode"] == "CSS1Compat"  # not the one for pages that are out of order
    assert found["pictures"] and all(
        0 < shown <= width and own > 0 for own, shown in found["pictures"]
    )
    assert found["needed"] <= found["width"]
    assert found["links"] and all(found["links"])
    assert found["title"] in found["text"]


def test_a_browser_shows_what_networks_confuse_misread_look_for_and_how_they_learnt(
    page_on_networks: Path, tmp_path: Path
) -> None:
    found = seen(page_on_networks, tmp_path, 1000)
    for name in ("accuracy of entries", "learning curves", "confusion matrix", "misread"):
        assert f"Picture: {name}" in found["shown"]
    assert {"Picture: accuracy by class", "Picture: filters"} <= set(found["shown"])
    assert "The best entry: number 1" in found["text"]
    assert "Most confused, of " in found["text"]
    assert all(rows > 1 for rows in found["tables"])
    assert 3 in found["tables"]  # that of the two entries, below its headings


def test_the_page_is_whole_without_its_folder(page: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.html"
    page.rename(alone)
    shutil.rmtree(tmp_path / "report")
    found = seen(alone, tmp_path, 800)
    assert found["pictures"] and all(own > 0 for own, _ in found["pictures"])


def test_its_style_is_not_refused_by_its_own_policy(page: Path, tmp_path: Path) -> None:
    assert "serif" not in seen(page, tmp_path, 800)["font"].split(",")[0]
