"""A real Chromium on every page: no error, no foreign request, accessible, in light, dark and on a phone."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alert_samples import sent
from proxy import proxied
from test_monitor_web import served
from web_world import World, hostile, published, suspect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

if CHROMIUM is None and os.environ.get("CI") != "true":
    pytest.skip("browser tests left out: there is no Chromium on this machine", allow_module_level=True)

# ruff: noqa: ANN401  Playwright is imported only where there is a browser

pytestmark = [
    pytest.mark.browser,
    # Playwright's own loop; nothing of ours is left open.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MODES = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}

AXE = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
"""What axe looks at, which takes most of the time: everything once, and where the same page has other colours those."""

WRONG = {"resultTypes": ["violations"]}
"""What axe tells whole: to list what passed as well takes as long as to look."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    assert CHROMIUM is not None, "CI runs the browser tests: install chromium"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(suspect(World(tmp_path_factory.mktemp("browser"))).publish()) as client:
        yield str(client.base_url).rstrip("/")


class Visit:
    """A page of a browser that notes whatever goes wrong on it."""

    def __init__(self, browser: Any, base: str, **settings: Any) -> None:
        self.base = base
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda said: self._note(said.type in ("error", "warning"), f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self._note(True, f"error: {error}"))
        # Who goes on to another page breaks off what the one before was still asking for, its icon say.
        self.page.on(
            "requestfailed",
            lambda request: self._note(request.failure != "net::ERR_ABORTED", f"failed: {request.url}"),
        )
        self.page.on("request", lambda request: self._note(not request.url.startswith((base, "data:")), request.url))
        self.page.on("response", lambda answer: self._note(answer.status >= 400, f"{answer.status}: {answer.url}"))

    def _note(self, wrong: bool, what: str) -> None:
        if wrong:
            self.problems.append(what)

    def go(self, path: str) -> Any:
        self.page.goto(self.base + path)
        # Asked again and again: what Playwright waits with itself is evaluated, which the page's policy forbids.
        undrawn = self.page.locator(".canvas[data-spec]:not([data-drawn])")
        for _ in range(600):
            if undrawn.count() == 0:
                return self.page
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{path}: a chart was not drawn; {self.problems}")


def paths(base: str) -> list[str]:
    import httpx

    flip = httpx.get(f"{base}/api/flips").json()[0]["flip_id"]
    sql = "/sql?q=SELECT+board%2C+value+FROM+standings"
    return ["/", "/board/families", "/family/Alpha", "/flips", f"/flips/{flip}", sql, "/docs", "/embed/families"]


@pytest.mark.parametrize("mode", MODES)
def test_every_page_works_and_is_accessible(browser: Any, site: str, mode: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    visit = Visit(browser, site, **MODES[mode])
    axe = Axe()
    for path in paths(site):
        page = visit.go(path)
        found = axe.run(page, options=AXE[mode] | WRONG).response["violations"] if mode in AXE else []
        assert [f"{path} {rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], path
    assert visit.problems == []
    visit.context.close()


def test_hovering_shows_the_values_and_a_mark_leads_to_its_flip(browser: Any, site: str) -> None:
    visit = Visit(browser, site, **MODES["light"])
    page = visit.go("/")
    box = page.locator(".canvas svg").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 150)
    page.wait_for_selector("#vg-tooltip-element.visible")
    said = page.locator("#vg-tooltip-element").inner_text()
    assert "Alpha" in said
    assert "Beta" in said

    page.locator('.canvas path[fill="#16191d"]').first.click()
    page.wait_for_url("**/flips/*")
    assert page.locator("h1").inner_text() == "Beta takes the lead from Alpha on families"
    assert visit.problems == []
    visit.context.close()


@pytest.mark.parametrize("takes_off", [True, False])
def test_under_a_path_the_chart_is_drawn_and_leads_on_and_queries_are_answered(browser: Any, takes_off: bool) -> None:
    with (
        served(published(), public_url="https://lab.example/leadchange") as direct,
        proxied(direct, "/leadchange", takes_off=takes_off) as site,
    ):
        visit = Visit(browser, f"{str(site.base_url).rstrip('/')}/leadchange", **MODES["light"])
        page = visit.go("/")
        page.locator('.canvas path[fill="#16191d"]').first.click()
        page.wait_for_url("**/leadchange/flips/*")
        page.wait_for_selector(".canvas[data-drawn]")  # who leaves before breaks the drawing off, which is an error

        page = visit.go("/sql")
        page.fill("#q", "SELECT 42 AS answer")
        page.press("#q", "Control+Enter")
        page.wait_for_selector("table.answer")
        assert "/leadchange/sql?q=" in page.url
        visit.go("/embed/families")
        assert visit.problems == []
        visit.context.close()


@pytest.mark.parametrize("named", [True, False])
def test_a_page_elsewhere_reads_the_api_if_its_origin_is_named(browser: Any, tmp_path: Path, named: bool) -> None:
    (tmp_path / "index.html").write_text("a notebook")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as lab,
        served(published(), token="s3cret", origins=[f"http://127.0.0.1:{lab.server_port}"] * named) as client,
    ):
        threading.Thread(target=lab.serve_forever, daemon=True).start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{lab.server_port}/")
        found = page.evaluate(READ, str(client.base_url.join("/api/boards")))
        assert found == ("families" if named else "refused")
        context.close()
        lab.shutdown()


READ = """
    url => fetch(url, {headers: {authorization: "Bearer s3cret"}})
        .then(answer => answer.json()).then(rows => rows[0].board, () => "refused")
"""
"""What a notebook does with the API."""


def test_a_part_of_the_time_can_be_brushed_and_the_axis_be_logarithmic(browser: Any, site: str) -> None:
    visit = Visit(browser, site, **MODES["light"])
    page = visit.go("/")
    page.locator(".canvas svg").first.scroll_into_view_if_needed()
    whole = page.locator(".canvas svg").first.inner_html()
    box = page.locator(".canvas svg").first.bounding_box()
    strip = box["y"] + box["height"] - 36
    page.mouse.move(box["x"] + box["width"] * 0.3, strip)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.55, strip, steps=4)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert page.locator(".canvas svg").first.inner_html() != whole

    page.get_by_role("button", name="Logarithmic axis").click()
    page.wait_for_selector('.canvas[data-drawn="light log"]')
    assert visit.problems == []
    visit.context.close()


LABELS = """
    [...document.querySelectorAll(".canvas svg .role-axis")].map(
        axis => [...axis.querySelectorAll(".role-axis-label text")].map(label => label.textContent).filter(Boolean))
"""


def test_on_the_first_days_no_day_stands_twice_below_a_chart(browser: Any, tmp_path: Path) -> None:
    with served(hostile(World(tmp_path)).publish()) as client:
        visit = Visit(browser, str(client.base_url).rstrip("/"), **MODES["light"])
        labels = visit.go("/board/families").evaluate(LABELS)
        assert all(len(set(axis)) == len(axis) for axis in labels), labels
        assert sum("1 May" in axis for axis in labels) == 4
        visit.context.close()


def test_everything_can_be_reached_with_the_keyboard(browser: Any, site: str) -> None:
    visit = Visit(browser, site, **MODES["light"])
    page = visit.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    page = visit.go("/sql")
    page.fill("#q", "SELECT 42 AS answer")
    page.press("#q", "Control+Enter")
    page.wait_for_selector("table.answer")
    assert page.locator("table.answer td").inner_text() == "42"
    assert visit.problems == []
    visit.context.close()


def test_without_scripts_the_charts_are_pictures_and_the_tables_are_there(browser: Any, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path in ("/", "/board/families"):
        page.goto(site + path)
        assert page.locator(".canvas svg.lines").first.is_visible()
        assert page.locator("table").first.is_visible()
        assert not page.locator("button.axis").first.is_visible()
    context.close()


CUT = """
    [...document.querySelectorAll(".scroll, .canvas")].filter(
        part => part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1).length
"""
"""How many tables and charts have more than is shown of them."""


def test_on_paper_nothing_is_cut_and_all_is_dark_on_light(browser: Any, site: str) -> None:
    visit = Visit(browser, site, viewport={"width": 1600, "height": 900}, color_scheme="dark")
    page = visit.go("/sql?q=SELECT+range,+range+AS+again+FROM+range(100)")
    assert page.evaluate(CUT) == 1
    for path in ("/sql?q=SELECT+range,+range+AS+again+FROM+range(100)", *paths(site)[:-1]):
        page = visit.go(path)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 720, "height": 1000})
        assert page.evaluate(CUT) == 0, path
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)"
        assert not page.locator("button").first.is_visible()
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": 1600, "height": 900})
    visit.context.close()


def test_on_a_small_phone_a_table_that_goes_on_says_so(browser: Any, site: str) -> None:
    visit = Visit(browser, site, viewport={"width": 320, "height": 700})
    page = visit.go("/flips")
    assert page.evaluate(CUT) > 0
    assert "linear-gradient" in page.evaluate('getComputedStyle(document.querySelector(".scroll")).backgroundImage')
    page = visit.go("/family/Alpha")
    ground = 'getComputedStyle(document.querySelector(".figures")).backgroundColor'
    assert page.evaluate(ground) == "rgb(255, 255, 255)", "a place without a figure looks like a hole"
    visit.context.close()


FITS = """
    [...document.querySelectorAll(".canvas[data-drawn] svg")].every(
        svg => svg.getBoundingClientRect().width <= svg.closest(".canvas").clientWidth + 1)
"""
"""Whether every chart, with the names at its edge, is as narrow as its place."""


def test_hostile_names_run_nothing_and_break_nothing(browser: Any, tmp_path: Path) -> None:
    with served(hostile(World(tmp_path)).publish()) as client:
        base = str(client.base_url).rstrip("/")
        visit = Visit(browser, base, **MODES["phone"])
        visit.page.on("dialog", lambda dialog: visit.problems.append(f"a dialog: {dialog.message}"))
        flip = client.get("/api/flips").json()[0]["flip_id"]
        for path in ("/", "/?board=models", "/board/models", "/board/families", f"/flips/{flip}", "/embed/models"):
            page = visit.go(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert page.evaluate(FITS), path
            page.set_viewport_size({"width": 320, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
            page.set_viewport_size(MODES["phone"]["viewport"])
            assert page.locator("img[src=x]").count() == 0
        assert visit.problems == []
        visit.context.close()


@pytest.mark.parametrize("name", ["x" * 2000, "&" * 500, "Llama"])
def test_no_name_makes_a_mail_wider_than_a_phone(browser: Any, name: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.set_content(sent(title="", entity=name, rival=name[::-1], why=name, board=name).html)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


BROKEN = """
    [...document.querySelectorAll("td")].filter(cell => /^[\\w.+-]+$/.test(cell.textContent)).filter(cell => {
        const text = document.createRange();
        text.selectNodeContents(cell);
        return text.getClientRects().length > 1;
    }).map(cell => cell.textContent)
"""
"""Words that stand in two lines."""


def test_a_digest_on_a_phone_breaks_no_usual_word(browser: Any) -> None:
    from test_alerts_digest import usual

    context = browser.new_context(viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.set_content(usual().html)
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


def test_a_file_that_is_not_there_yet_is_no_error(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path / "adoption.duckdb") as client:
        visit = Visit(browser, str(client.base_url).rstrip("/"), **MODES["light"])
        for path in ("/", "/flips", "/sql", "/docs"):
            visit.go(path)
        assert visit.problems == []
        visit.context.close()


def test_the_report_is_one_page_that_fetches_nothing(browser: Any, tmp_path: Path) -> None:
    from web_world import now

    from monitor import report

    report.write(published(), tmp_path / "report.html", now())
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(json.dumps(message.text)))
    page.goto((tmp_path / "report.html").as_uri())

    assert asked == [(tmp_path / "report.html").as_uri()]
    assert said == []
    assert page.locator("svg.lines").count() == 1
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()
