"""The dashboard under a path of its host: behind proxies that take the path off or pass it on, and asked directly."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from proxy import proxied
from test_monitor_web import served
from web_world import now, published

from monitor.config import PAGES
from monitor.web.app import create_app
from monitor.web.published import Published

FOLLOWED = 4
"""Links of one kind that are followed: all of them are made at one place, and each page is asked for elsewhere, too."""
ROOT = "/leadchange"
PUBLIC = "https://lab.example"


@pytest.fixture(scope="module")
def direct() -> Iterator[httpx.Client]:
    with served(published(), public_url=f"{PUBLIC}{ROOT}/") as client:
        yield client


@pytest.fixture(scope="module", params=["taken off", "passed on", "asked directly"])
def site(direct: httpx.Client, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """The site as somebody reaches it."""
    if request.param == "asked directly":
        yield direct
    else:
        with proxied(direct, ROOT, takes_off=request.param == "taken off") as client:
            yield client


def links(answer: httpx.Response) -> set[str]:
    """Every address of the site that an answer holds: in pages, charts and feeds, and what OpenAPI describes."""
    if answer.url.path.endswith("/openapi.json"):
        described = answer.json()
        return {described["servers"][0]["url"] + path for path in described["paths"] if "{" not in path}
    found = re.findall(r'(?:href|src|action|data-spec|"url")(?:=|: ?)"([^"]+)"', answer.text)
    whole = (urljoin(str(answer.url), html.unescape(link)).removeprefix(PUBLIC) for link in found)
    own = (link.removeprefix(str(answer.url.join("/")).rstrip("/")) for link in whole)
    return {link.partition("#")[0] for link in own if link.startswith("/")}


def kind(link: str) -> str:
    """What is behind an address of the site: a word where it names somebody or a day, and the names it asks by."""
    path, _, asked = link.partition("?")
    words = path.removeprefix(ROOT).split("/")[1:]
    return "/".join(words[: 2 if words[0] in ("api", "static") else 1]) + "?" + re.sub(r"=[^&]*", "", asked)


def test_every_link_of_every_kind_of_page_leads_to_a_page_under_the_path(site: httpx.Client) -> None:
    seen: dict[str, int] = {}
    followed = Counter[str]()
    waiting = [f"{ROOT}/"]
    while waiting:
        link = waiting.pop(0)
        assert link.startswith(f"{ROOT}/"), link
        followed[kind(link)] += link not in seen
        if link in seen or followed[kind(link)] > FOLLOWED:
            continue
        answer = site.get(link, params={"q": "SELECT 1"} if link == f"{ROOT}/api/sql" else None)
        seen[link] = answer.status_code
        if "/api/" not in link and "/static/" not in link:
            waiting += sorted(links(answer))
    assert {link: status for link, status in seen.items() if status != 200} == {}
    first = {link.split("/")[2].partition("?")[0] for link in seen}
    assert first >= PAGES - {"favicon.ico"}


def test_a_slash_at_the_end_leads_nowhere_else(site: httpx.Client) -> None:
    for path in ("/flips/", "/board/families/", "/"):
        assert site.get(ROOT + path).status_code == 200


def test_what_is_not_there_is_said_on_a_page_of_the_site(site: httpx.Client) -> None:
    missing = site.get(f"{ROOT}/nothing")
    assert (missing.status_code, f'href="{ROOT}/"' in missing.text) == (404, True)
    assert site.get(f"{ROOT}/api/flips?board=familes").json()["problem"].endswith("did you mean 'families'?")


def test_without_the_path_the_pages_are_answered_too(direct: httpx.Client) -> None:
    for path in ("/", "/board/families", "/api/boards", "/healthz", "/openapi.json"):
        assert direct.get(path).content == direct.get(ROOT + path).content
    assert direct.get(ROOT).status_code == 200
    assert direct.get(f"{ROOT}er/flips").status_code == 404


def test_what_is_for_other_pages_may_stand_on_them_and_nothing_else_may(site: httpx.Client) -> None:
    policies = {"/embed/families": "cross-origin", "/badge/families.svg": "cross-origin", "/": "same-origin"}
    for path, policy in policies.items():
        assert site.get(ROOT + path).headers["cross-origin-resource-policy"] == policy


def test_what_is_to_be_copied_names_the_public_address(site: httpx.Client) -> None:
    text = site.get(f"{ROOT}/board/families").text
    assert f"<code>{PUBLIC}{ROOT}/badge/families.svg</code>" in text
    assert f"<code>{PUBLIC}{ROOT}/embed/families</code>" in text


def test_what_must_be_fresh_is_not_kept_under_a_path_either(direct: httpx.Client) -> None:
    for path in ("/healthz", "/metrics", "/api/tables/families"):
        assert "etag" not in direct.get(ROOT + path).headers
    assert direct.get(f"{ROOT}/flips").headers["etag"] == direct.get("/flips").headers["etag"]


def test_the_token_is_asked_for_under_a_path_as_well() -> None:
    with served(published(), public_url=PUBLIC + ROOT, token="s3cret") as direct:
        for takes_off in (True, False):
            with proxied(direct, ROOT, takes_off=takes_off) as site:
                assert site.get(f"{ROOT}/").status_code == 401
                assert site.get(f"{ROOT}/", auth=("anybody", "s3cret")).status_code == 200
                assert site.get(f"{ROOT}/healthz").status_code == 200


def test_no_path_is_taken_for_a_page() -> None:
    """A proxy that takes off the path could not be told from one that passes it on."""
    routes = iter_route_contexts(create_app(Published(Path("nowhere")), now=now).routes)
    assert {str(route.path).split("/")[1] for route in routes} - {""} == PAGES
