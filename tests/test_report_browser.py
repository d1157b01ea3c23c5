"""Tests of a report in a real browser without a window: Chromium, where it is installed."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from data_parser import DataSet
from model_collection import ModelCollection
from report import write_report

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
    browser()
    return write_report(
        data_set,
        ModelCollection(data_set.classes),
        tmp_path / "report",
        seed=1,
        read=lambda entry, images: pytest.fail("there is no entry to read with"),
    )


@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_every_picture_and_needs_no_scrolling_sideways(
    page: Path, tmp_path: Path, width: int
) -> None:
    found = seen(page, tmp_path, width)
    assert found["mode"] == "CSS1Compat"  # not the one for pages that are out of order
    assert found["pictures"] and all(
        0 < shown <= width and own > 0 for own, shown in found["pictures"]
    )
    assert found["needed"] <= found["width"]
    assert found["links"] and all(found["links"])
    assert found["title"] in found["text"]


def test_the_page_is_whole_without_its_folder(page: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.html"
    page.rename(alone)
    shutil.rmtree(tmp_path / "report")
    found = seen(alone, tmp_path, 800)
    assert found["pictures"] and all(own > 0 for own, _ in found["pictures"])


def test_its_style_is_not_refused_by_its_own_policy(page: Path, tmp_path: Path) -> None:
    assert "serif" not in seen(page, tmp_path, 800)["font"].split(",")[0]
