"""The page in a browser: it draws, sorts, and logs no complaint."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from synthesis import edit_result, fail, synthesise
from test_html import SCRIPT

from reports.collect import collect
from reports.html import write_html
from reports.table import write_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
PDFTOTEXT = shutil.which("pdftotext")
UNFOLDED = "wasOpen"

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver (apt-get install chromium chromium-driver)"
)
webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium, of the extra dev")

OFFLINE = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, data: str) -> Path:
    """Table 3 with three seeds, a failed job, pictures, and a script for an image's name."""
    out = synthesise(tmp_path_factory.mktemp("browser"), data, table="table3", seeds=3)
    results = collect(out, "table3")
    written = {"table3": write_table(results, out)}
    for seed in range(3):
        fail(out, f"table3-row2-seed{seed}", SCRIPT)
        images = json.loads((out / "jobs" / f"table3-row3-seed{seed}" / "result.json").read_text())["images"]
        edit_result(out, f"table3-row3-seed{seed}", "images", [images[0] | {"id": SCRIPT}, *images[1:]])
    return write_html(out, written=written)


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-sync", *OFFLINE)
    for flag in (*flags, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    driver.get(page.as_uri())
    yield driver
    driver.quit()


def test_no_complaint(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)") == []


def test_pictures_are_there(browser: webdriver.Chrome) -> None:
    sizes = browser.execute_async_script(
        "const done = arguments[0], images = [...document.images];"
        "images.forEach((image) => { image.loading = 'eager'; });"
        "Promise.all(images.map((image) => image.decode())).then("
        "() => done(images.map((image) => image.naturalWidth)), (error) => done(String(error)));"
    )
    assert len(sizes) == 2 and min(sizes) > 0


def test_policy_stops_other_scripts(browser: webdriver.Chrome) -> None:
    ran = browser.execute_script(
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script); return window.ran === true;"
    )
    browser.get_log("browser")  # the refusal
    assert not ran


def _column(browser: webdriver.Chrome, heading: str, nth: int = 0) -> tuple[object, list[str], str]:
    """Find the button of a heading, the texts of its column, and aria-sort."""
    return browser.execute_script(
        "const table = document.querySelector('#table3 table.sortable');"
        "const all = [...table.querySelectorAll('th[data-column]')];"
        "const found = all.filter((one) => one.textContent.trim() === arguments[0])[arguments[1]];"
        "const texts = [...table.tBodies[0].rows].map((row) => row.cells[found.dataset.column].textContent.trim());"
        "return [found.querySelector('button'), texts, found.getAttribute('aria-sort')];",
        heading,
        nth,
    )


def test_a_heading_sorts_figures_with_gaps_last(browser: webdriver.Chrome) -> None:
    button, before, state = _column(browser, "measured")
    assert state == "none" and before[1] == "–" and all("±" in text for text in before[::2])
    expected = sorted(float(text.split()[0]) for text in before if text != "–")
    button.click()
    _, rising, state = _column(browser, "measured")
    assert state == "ascending" and rising[-1] == "–"
    assert [float(text.split()[0]) for text in rising[:-1]] == expected
    button.click()
    _, falling, state = _column(browser, "measured")
    assert state == "descending" and falling[-1] == "–"
    assert [float(text.split()[0]) for text in falling[:-1]] == expected[::-1]
    button.click()
    assert _column(browser, "measured")[1:] == [before, "none"]


def test_sorting_by_keyboard_moves_whole_rows(browser: webdriver.Chrome) -> None:
    from selenium.webdriver.common.keys import Keys

    labels = dict(zip(_column(browser, "#")[1], _column(browser, "row")[1], strict=True))
    button, before, _ = _column(browser, "difference", 1)
    button.send_keys(Keys.ENTER)
    _, after, state = _column(browser, "difference", 1)
    assert state == "ascending"
    assert [float(text.replace("−", "-")) for text in after[:-1]] == sorted(
        float(text.replace("−", "-")) for text in before if text != "–"
    )
    assert dict(zip(_column(browser, "#")[1], _column(browser, "row")[1], strict=True)) == labels


def test_a_link_opens_the_job(browser: webdriver.Chrome) -> None:
    opened = browser.execute_async_script(
        "const done = arguments[0];"
        "addEventListener('hashchange', () => setTimeout(() =>"
        " done(document.querySelector('#jobs details[open]').id), 0), { once: true });"
        "document.querySelector('#table3 tbody a').click();"
    )
    assert opened == "job-table3-row1-seed0"


@contextmanager
def shown(browser: webdriver.Chrome, width: int, media: str = "screen") -> Iterator[None]:
    """Everything unfolded, `width` pixels wide, as on a screen or as printed."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    browser.execute_script(f"document.querySelectorAll('details').forEach((one) => {{ one.{UNFOLDED} = one.open; }});")
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; });")
    try:
        yield
    finally:
        folded = f"document.querySelectorAll('details').forEach((one) => {{ one.open = one.{UNFOLDED}; }});"
        browser.execute_script(folded)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def overflowing(browser: webdriver.Chrome) -> list[str]:
    """Texts of elements that reach beyond the page, but for those in parts that scroll by themselves."""
    return browser.execute_script(
        "const width = document.documentElement.clientWidth;"
        "const scrolls = (one) => one && (/auto|scroll|hidden/.test(getComputedStyle(one).overflowX)"
        " || scrolls(one.parentElement));"
        "return [...document.querySelectorAll('main *, header *, nav')].filter((one) => {"
        " const box = one.getBoundingClientRect();"
        " return box.width && (box.right > width + 1 || box.left < -1) && !one.closest('svg *')"
        " && !scrolls(one.parentElement); }).map((one) => one.tagName + ' ' + one.textContent.trim().slice(0, 60));"
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 800, 1400])
def test_nothing_reaches_beyond_the_page(browser: webdriver.Chrome, width: int) -> None:
    with shown(browser, width):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert overflowing(browser) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [980, 1046], ids=["letter", "A4"])
def test_nothing_reaches_beyond_the_paper(browser: webdriver.Chrome, width: int) -> None:
    """Width in landscape between margins of 1 cm, at 96 pixels an inch; tables do not scroll on paper."""
    with shown(browser, width, "print"):
        assert overflowing(browser) == []


@pytest.mark.slow
@pytest.mark.skipif(not PDFTOTEXT, reason="needs pdftotext (apt-get install poppler-utils)")
def test_no_printed_page_is_empty(browser: webdriver.Chrome, tmp_path: Path) -> None:
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    path = tmp_path / "page.pdf"
    path.write_bytes(base64.b64decode(printed))
    text = subprocess.run([str(PDFTOTEXT), path, "-"], capture_output=True, text=True, check=True).stdout
    pages = text.split("\f")[:-1]
    assert len(pages) > 2
    assert min(len(page.strip()) for page in pages) > 100
    assert "Every row against row" in text, "what is folded on the screen is printed"


def test_a_phone_scrolls_tables_not_the_page(browser: webdriver.Chrome) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    widths = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.querySelector('#table3 .scroll').clientWidth,"
        " document.querySelector('#table3 .scroll').scrollWidth]"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert widths[0] <= 390 and widths[1] < widths[2]
