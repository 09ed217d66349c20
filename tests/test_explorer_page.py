"""The explorer in a real browser: what one does on the page, and what one then sees.

It takes Chromium and Playwright's Python package, which drives the browser that is installed.
METASIM_BROWSER=required fails where there is none, instead of skipping; .ci/run sets it.
"""

import io
import os
import re
import shlex
import shutil

import pandas as pd
import pytest

import metasim as ms

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
REQUIRED = os.environ.get("METASIM_BROWSER") == "required"
if not REQUIRED:
    pytest.importorskip("starlette", reason="needs the extra explore")
    pytest.importorskip("playwright", reason="needs Playwright's Python package (extra dev)")
    if not CHROMIUM:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium)", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright  # noqa: E402

from tests.explorer import serving  # noqa: E402

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
KNOB = "[data-key='soil.bone.multiplier.colonization']"
NICHE = "[data-key='soil.bone.niche']"
PATIENTS = 150
DONE = f"body[data-state=done][data-ready='{PATIENTS}']"


@pytest.fixture(scope="module")
def served():
    with serving(patients=PATIENTS) as one:
        yield one


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


@pytest.fixture
def opened(browser, served):
    """Opens the page at a size and colour scheme; what goes wrong on it fails the test."""
    faults, contexts = [], []

    def hear(kind, text):
        # Chromium itself notes each answer that refuses what a user gave
        if kind in ("error", "warning") and "status of 422" not in text:
            faults.append(text)

    def open_(fragment="", width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: hear(m.type, m.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(served.url + fragment)
        page.wait_for_selector(DONE)
        page.wait_for_selector("#take #command")
        return page

    open_.faults = faults
    yield open_
    for context in contexts:
        context.close()
    assert not faults


def turn(page, value):
    """Multiply the odds of founding a colony in bone, and wait for what comes of it."""
    if not page.locator(KNOB).count():
        page.click("details[data-organ=bone] summary")
    before = page.locator("body").get_attribute("data-shown")
    field = page.locator(f"{KNOB} input[type=number]")
    field.fill(str(value))
    field.press("Enter")
    page.wait_for_selector(f"body:not([data-shown='{before}'])")
    page.wait_for_selector(DONE)


def share(page, organ="bone"):
    return float(page.locator(f"tr[data-organ='{organ}'] td.now .value").inner_text())


def said_difference(page, organ="bone"):
    text = page.locator(f"tr[data-organ='{organ}'] td.difference").inner_text()
    numbers = re.findall(r"[+\u2212]?\d+\.\d", text)
    return [float(number.replace("\u2212", "-")) for number in numbers]


def test_a_poorer_soil_has_fewer_metastases_and_a_richer_one_more(opened):
    page = opened()
    begin = share(page)
    turn(page, 0)
    poor = share(page)
    value, low, high = said_difference(page)
    assert poor < begin and value == pytest.approx(poor - begin, abs=0.11) and low < high < 0
    row = page.locator("tr[data-organ=bone] td.difference")
    assert "▼" in row.inner_text() and "paired" in page.inner_text("#counted")
    slider = page.locator(f"{KNOB} input[type=range]")
    slider.focus()
    slider.press("End")  # by keyboard alone
    page.wait_for_selector("#command:has-text('colonization=20')")
    page.wait_for_selector(DONE)
    assert share(page) > poor
    page.locator(f"{KNOB} button.back").click()
    page.wait_for_selector("#command:not(:has-text('colonization'))")
    page.wait_for_selector(DONE)
    assert share(page) == begin
    expect(page.locator("#changed")).to_have_text("Nothing is changed.")


def test_pinning_and_the_organ_under_the_pointer(opened):
    page = opened()
    turn(page, 0.1)
    page.click("#pin")
    page.wait_for_selector("#unpin:not([hidden])")
    turn(page, 0.9)
    assert "soil.bone.multiplier.colonization 0.1" in page.inner_text("#counted")
    assert said_difference(page)[0] > 0
    organ = page.locator("#body g.organ[data-organ=bone]")
    organ.focus()
    expect(page.locator("#explained h3")).to_have_text("Bone")
    assert "Soil: " in page.inner_text("#explained")
    organ.press("Enter")
    assert page.locator("details[data-organ=bone]").get_attribute("open") is not None
    about = page.locator(f"{NICHE} .about")
    expect(about).to_be_hidden()
    page.hover(NICHE)
    expect(about).to_be_visible()
    assert "derived" in about.inner_text() and "Hoshino" in about.inner_text()


def test_cancel_keeps_what_is_shown(opened):
    page = opened()
    page.fill("#asked", "20000")
    page.press("#asked", "Enter")
    page.click("#cancel")
    page.wait_for_selector("body[data-state=stopped]")
    assert "cancelled" in page.inner_text("#state")
    expect(page.locator("#rows table")).to_be_visible()


def test_a_broken_file_is_refused_beside_its_key_and_a_good_one_taken(opened, tmp_path):
    page = opened()
    bad = tmp_path / "<b>mine.toml"
    bad.write_text(
        'extends = "luminal_a_surgery"\n[soil.bone]\nniche = 2\nnich = 1\n', encoding="utf-8"
    )
    page.set_input_files("#file", bad)
    page.wait_for_selector("#wrong li")
    with pytest.raises(ms.ScenarioError) as due:
        ms.load(bad)
    told = page.inner_text("#wrong")
    for mistake in due.value.mistakes:
        assert mistake.key in told and mistake.message in told
    assert "from 0 to 1" in page.inner_text(f"{NICHE} .wrong")
    assert page.input_value("#scenario") == "luminal_a_surgery"
    markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    good = tmp_path / "mine.toml"
    text = f"extends = \"luminal_a\"\ntitle = '{markup}'\n[soil.bone]\nlabel = '{markup}'\n"
    good.write_text(text, encoding="utf-8")
    page.set_input_files("#file", good)
    page.wait_for_selector("#command:has-text('mine.toml')")
    page.wait_for_selector("body[data-state=done]")
    assert markup in page.inner_text("tr[data-organ=bone] th")
    assert page.locator("img, main script").count() == 0
    assert page.title() == "metasim explorer"


def test_two_tabs_are_independent_and_a_link_opens_the_same_page(opened):
    one, other = opened(), opened()
    begin = share(other)
    turn(one, 0)
    assert share(one) < begin == share(other)
    link = one.input_value("#link")
    again = opened("#" + link.partition("#")[2])
    assert share(again) == share(one)
    assert said_difference(again) == said_difference(one)
    expect(again.locator("#changed")).to_have_text("1 value is changed.")


def test_a_treatment_can_be_taken_away_and_another_given(opened):
    page = opened()
    page.click("#treatments-box summary")
    page.uncheck("#treatment-0")
    page.wait_for_selector("#command:has-text('treatment=\"none\"')")
    page.select_option("#add-kind", "chemotherapy")
    page.click(".add button")
    dose = page.locator("#treatments .knob", has_text="log kill").locator("input[type=number]")
    dose.wait_for()  # the catalogue's, once the run has begun
    assert float(dose.input_value()) > 0
    dose.fill("2")
    dose.press("Enter")
    page.wait_for_selector("#command:has-text('log_kill = 2')")
    page.wait_for_selector(DONE)


def test_the_file_that_is_downloaded_gives_the_numbers_of_the_page(opened, tmp_path):
    page = opened()
    turn(page, 0.3)
    with page.expect_download() as download:
        page.click("text=what differs (TOML)")
    download.value.save_as(tmp_path / "mine.toml")
    with page.expect_download() as table:
        page.click("a[aria-label='summary as CSV']")
    shown = pd.read_csv(io.BytesIO(table.value.path().read_bytes()))
    due = ms.run(ms.load(tmp_path / "mine.toml"), progress=False).summary
    pd.testing.assert_frame_equal(shown, due.reset_index(drop=True))
    bone = due.set_index("organ").loc["bone"]
    assert share(page) == pytest.approx(100 * bone["share_with"], abs=0.051)
    assert shlex.split(page.inner_text("#command"))[:3] == ["metasim", "run", "luminal_a_surgery"]


def test_a_patient_and_her_cells(opened):
    page = opened("#scenario=few_cells&patients=150")
    page.fill("#patient-number", "0")
    page.press("#patient-number", "Enter")
    page.wait_for_selector("#one h3:has-text('Patient 0')")
    page.click("#watch-start")
    page.wait_for_selector("#watch-view:not([hidden])")
    before = page.inner_text("#watch-state")
    page.click("#watch-step")
    page.wait_for_selector(f"#watch-state:not(:has-text('{before[:16]}'))")
    page.click("#watch-play")
    page.wait_for_timeout(700)
    page.click("#watch-play")
    expect(page.locator("#watch-play")).to_have_text("Play")
    assert int(re.search(r"day (\d+)", page.inner_text("#watch-state"))[1]) > 1
    box = page.locator("#watch-canvas").bounding_box()
    page.locator("#watch-canvas").click(
        position={"x": box["width"] * 0.56, "y": box["height"] * 0.34}
    )
    page.wait_for_selector("#watch-history li:has-text('born')")


def test_keyboard_alone_reaches_everything(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    reached = set()
    for _ in range(110):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "document.activeElement.id || document.activeElement.dataset.organ "
            "|| document.activeElement.textContent.slice(0, 30)"
        ))  # fmt: skip
    assert {"bone", "watch-start", "link", "patient-number", "scenario", "upload"} <= reached
    page.evaluate("document.querySelector('.skip').focus()")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "results"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_legible_and_axe_finds_nothing_serious(opened, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(width=width, height=900, color_scheme=scheme, reduced_motion="reduce")
    if width == 1280:
        page.click("#treatments-box summary")
        turn(page, 0.5)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, "the page is wider than the window"
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    told = [(one["id"], [node["html"][:90] for node in one["nodes"][:4]]) for one in serious]
    assert not serious, told


def test_a_mistake_on_the_page_would_be_seen(opened):
    """The planted fault: the check for errors of the console catches one."""
    page = opened()
    page.evaluate("console.error('planted')")
    page.evaluate("setTimeout(() => { throw new Error('thrown') }, 0)")
    page.wait_for_timeout(50)
    assert any("planted" in one for one in opened.faults)
    assert any("thrown" in one for one in opened.faults)
    opened.faults.clear()


def test_a_report_opens_without_a_network_and_axe_finds_nothing_serious(browser, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    from metasim.reporting.write import write_report

    ms.run(ms.load("luminal_a_surgery", {"run.patients": 30}), output=tmp_path / "a")
    asked, faults = [], []
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.on("request", lambda request: asked.append(request.url[:60]))
    page.on("console", lambda m: faults.append(m.text))
    page.goto(write_report(tmp_path / "a").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = Axe().run(page).response["violations"]
    page.close()
    assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")]
    assert all(url.startswith(("file:", "data:")) for url in asked) and not faults
