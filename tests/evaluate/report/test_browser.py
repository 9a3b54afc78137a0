"""The page of a report in Chromium: quiet, alone, and doing what its controls say."""

import base64
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from matplotlib.image import imread

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = which("chromium"), which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"
    ),
]
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
DESKTOP, PHONE = (1280, 900), (375, 720)

Browser = Any


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium that nobody has used before."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=["written", "single"])
def opened(request: pytest.FixtureRequest, browser: Browser) -> Browser:
    """The browser with a page in it, as wide as a desk, in light colours."""
    return _open(browser, request.getfixturevalue(request.param).out)


@pytest.fixture
def full(browser: Browser, written: Any) -> Browser:
    """The browser with the page of several subjects and splits."""
    return _open(browser, written.out)


def _open(
    browser: Browser, out: Path, size: tuple[int, int] = DESKTOP, theme: str = "light"
) -> Browser:
    _resize(browser, size)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what came before is not of this page
    browser.get((out / "index.html").as_uri())
    return browser


def _resize(browser: Browser, size: tuple[int, int]) -> None:
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _choose(browser: Browser, name: str, value: str) -> None:
    browser.execute_script(
        "const control = document.querySelector(`select[name=${arguments[0]}]`);"
        "control.value = arguments[1]; control.dispatchEvent(new Event('change'));",
        name,
        value,
    )


def _alts(browser: Browser, slot: str) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll(`.slot[data-slot=${arguments[0]}] [role=img]`)]"
        ".map((one) => one.ariaLabel)",
        slot,
    )
    return found


def _screenshot(browser: Browser) -> bytes:
    return base64.b64decode(browser.get_screenshot_as_base64())


def test_the_page_is_quiet_and_asks_nobody(opened):
    assert opened.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    pages = [url for url in urls if not url.startswith("data:")]
    assert len(pages) == 1
    assert pages[0].startswith("file:")


def test_every_place_shows_a_figure_or_says_why_not(opened):
    slots = opened.execute_script(
        "return [...document.querySelectorAll('.slot')].filter((slot) => slot.dataset.empty)"
        ".map((slot) => [slot.dataset.slot, slot.innerText.trim(), slot.offsetHeight])"
    )
    assert len(slots) == 7
    for name, text, height in slots:
        assert text, name
        assert height > 10, name


def test_choices_change_what_is_shown(full):
    assert "wavy on discs, test_single" in _alts(full, "maps")[0]
    seen = {tuple(_alts(full, "maps"))}
    for name, value, told in (
        ("rank", "worst", "(worst)"),
        ("quantity", "field", "Strength of H"),
        ("data", "discs, test_multi", "test_multi["),
        ("subject", "blind", "blind on"),
    ):
        _choose(full, name, value)
        (alt,) = _alts(full, "maps")
        assert told in alt
        seen.add((alt,))
    assert len(seen) == 5
    for slot in ("distance", "distribution", "num-sources", "parity"):
        (alt,) = _alts(full, slot)
        assert "field" in alt or "H of blind" in alt
    assert full.get_log("browser") == []


def test_choices_change_the_rows_of_tables(full):
    def shown() -> list[str]:
        found: list[str] = full.execute_script(
            "const table = document.querySelector('[aria-label=\"Errors by region\"]');"
            "return [...table.tBodies[0].rows].filter((row) => !row.hidden)"
            ".map((row) => row.innerText)"
        )
        return found

    before = shown()
    assert len(before) == 3 * 3
    _choose(full, "quantity", "field")
    after = shown()
    assert len(after) == len(before)
    assert after != before


def test_maps_are_drawn_and_not_blank(full):
    """Three windows on one drawing, each with an image in it."""
    boxes = full.execute_script(
        "return [...document.querySelectorAll('.slot[data-slot=maps] .panels > svg:not(.store)')]"
        ".map((svg) => { svg.scrollIntoView(); const box = svg.getBoundingClientRect();"
        "return [box.x + scrollX, box.y + scrollY, box.width, box.height]; })"
    )
    assert len(boxes) == 3
    shots = []
    for x, y, width, height in boxes:
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        settings = {"clip": clip, "captureBeyondViewport": True}
        shots.append(full.execute_cdp_cmd("Page.captureScreenshot", settings)["data"])
    pictures = [imread(io.BytesIO(base64.b64decode(shot))) for shot in shots]
    assert all(picture.std() > 0.05 for picture in pictures)
    assert len(set(shots)) == 3


_SORTED = """
    const [label, heading] = arguments;
    const table = document.querySelector(`[aria-label="${label}"]`);
    const header = [...table.tHead.rows[0].cells].find((one) => one.innerText.trim() === heading);
    const button = header.querySelector("button");
    button.focus();
    if (document.activeElement !== button) throw "no focus";
    button.click();
    const cells = [...table.tBodies[0].rows].map((row) => row.cells[header.cellIndex]);
    return [header.ariaSort, cells.map((cell) => cell.dataset.value ?? cell.innerText)];
"""
"""Sorts a table by the column of a heading, and returns the order and what the column holds."""


def test_tables_sort_by_number(full):
    direction, values = full.execute_script(_SORTED, "Worst samples", "L2 of potential [%]")
    numbers = [float(value) for value in values]
    assert direction == "ascending"
    assert numbers == sorted(numbers)
    assert numbers[-1] == float("inf")
    direction, values = full.execute_script(_SORTED, "Worst samples", "L2 of potential [%]")
    assert direction == "descending"
    assert [float(value) for value in values] == sorted(numbers, reverse=True)


@pytest.mark.parametrize("heading", ["Median [%]", "Samples"])
def test_undefined_numbers_stay_last(full, heading):
    """The published rows have neither, whichever way the others are sorted."""
    for expected in ("ascending", "descending"):
        direction, values = full.execute_script(_SORTED, "Errors of all subjects", heading)
        numbers = [float(value) for value in values]
        assert direction == expected
        undefined = [math.isnan(number) for number in numbers]
        assert undefined == sorted(undefined)
        assert sum(undefined) >= 2
        assert not all(undefined)


def test_words_sort_and_headers_are_for_keyboards(full):
    _, names = full.execute_script(_SORTED, "Worst samples", "Subject")
    assert names == sorted(names)


def test_light_and_dark(browser, written):
    ground = "return getComputedStyle(document.body).backgroundColor"
    text = "return getComputedStyle(document.querySelector('.slot svg text')).fill"
    seen = {}
    for theme in ("light", "dark"):
        _open(browser, written.out, theme=theme)
        seen[theme] = browser.execute_script(ground), browser.execute_script(text)
    assert seen["light"] == ("rgb(255, 255, 255)", "rgb(27, 30, 35)")
    assert seen["dark"] == ("rgb(20, 23, 28)", "rgb(230, 232, 236)")
    browser.find_element("id", "theme").click()
    assert (browser.execute_script(ground), browser.execute_script(text)) == seen["light"]
    assert browser.find_element("id", "theme").text == "Dark"


@pytest.mark.parametrize("page", ["written", "single"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_wider_than_the_window(browser, request, page, size):
    _open(browser, request.getfixturevalue(page).out, size)
    browser.execute_script(
        "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") == size[0]
    wider = browser.execute_script(
        "return [...document.body.querySelectorAll('*')]"
        ".filter((one) => !one.closest('.scroll > *, svg'))"
        ".filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)"
        ".map((one) => one.outerHTML.slice(0, 80))"
    )
    assert wider == []


def test_phones_show_letters_that_can_be_read(browser, written):
    """Panels stand in a column, so that letters in figures keep their size."""
    _open(browser, written.out, PHONE)
    heights = browser.execute_script(
        "return [...document.querySelectorAll('.slot .panels > svg:not(.store) text')]"
        ".map((one) => one.getBoundingClientRect().height).filter((height) => height > 0)"
    )
    assert len(heights) > 30
    assert min(heights) >= 8


def test_pictures_of_the_page_differ_as_they_should(browser, written):
    """Light, dark and narrow: each is drawn, and is not a single colour."""
    shots = set()
    for size, theme in ((DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")):
        _open(browser, written.out, size, theme)
        shot = _screenshot(browser)
        assert len(shot) > 10_000
        shots.add(shot)
    assert len(shots) == 3
