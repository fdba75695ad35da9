"""The dashboard's pages, feeds and metrics, asked for over HTTP without a browser."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from spine import model
from web_world import HOSTILE, NASTY, World, hostile, now, one_look, published, small, suspect, unread

from jobs import digest
from jobs.digest import Digest
from jobs.schedule import LastRun
from monitor.health import Health
from monitor.report import page
from monitor.web import bundle, cache, formats, statics, svg, words
from monitor.web.app import create_app
from monitor.web.operations import Jobs
from monitor.web.published import Published
from monitor.web.site import Site
from warehouse.db import Database
from warehouse.published.browsing import Browsing
from warehouse.published.sandbox import Limits
from warehouse.ranking.boards import MEASURES, Board
from warehouse.registry import Family, Registry

ATOM = "{http://www.w3.org/2005/Atom}"
PAGES = ["/", "/?board=families", "/board/families", "/family/Alpha", "/flips", "/sql", "/docs", "/embed/families"]
EMPTY_PAGES = ["/", "/flips", "/sql", "/docs", "/flips.atom", "/metrics", "/openapi.json", "/api/boards", "/api/flips"]


@contextmanager
def served(published: Path, **settings: Any) -> Iterator[httpx.Client]:  # noqa: ANN401 as create_app takes them
    """A client of the dashboard on a real socket."""
    app = create_app(Published(published), **({"now": now} | settings))
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, log_config=None, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    with served(published()) as client:
        yield client


@pytest.fixture(scope="module")
def flip_id(site: httpx.Client) -> str:
    return str(site.get("/api/flips").json()[0]["flip_id"])


# The pages


def test_the_overview_says_who_leads_since_when_and_by_how_much(site: httpx.Client) -> None:
    text = site.get("/").text

    assert "<bdi>Beta</bdi> leads</h1>" in text
    assert "4 May 2026" in text
    assert "26.9%" in text
    assert 'class="lines"' in text
    assert "Beta takes the lead from Alpha on families" in text


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_a_page(site: httpx.Client, path: str) -> None:
    answer = site.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.count("<h1") == 1
    assert re.search(r"<title>[^<]+ · leadchange</title>", answer.text)


def test_no_page_needs_another_origin_or_anything_inline(site: httpx.Client, flip_id: str) -> None:
    for path in [*PAGES, f"/flips/{flip_id}"]:
        text = site.get(path).text
        fetched = re.findall(r'<(?:script|link|img|iframe)[^>]*?\s(?:src|href)="([^"]+)"', text)
        assert [url for url in fetched if not url.startswith("/")] == []
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", text)


def test_a_board_shows_its_standing_on_a_day(site: httpx.Client) -> None:
    text = site.get("/board/families?at=2026-05-01&top=2").text

    assert "Standing on 1 May 2026" in text
    names = re.findall(r'<th scope="row"><a href="/family/(\w+)">', text)
    assert names == ["Alpha", "Beta"]
    assert re.findall(r"<option selected>(\d+)", text) == ["2"]


def test_of_equals_who_was_first_before_still_leads(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, alpha in enumerate((30, 50)):
        world.look(number, [model("alpha-lab/alpha-1", alpha), model("beta-ai/beta-1", 50)])
    world.rank()
    with served(world.publish()) as client:
        board = client.get("/board/families").text
        (row,) = client.get("/api/boards").json()
    assert row["leaders"] == ["Beta"]
    assert (row["leader"], row["days_led"], row["since_first_day"]) == ("Beta", 2, True)
    assert (
        "Beta leads families with 50 downloads in 30 days, first since 1 May 2026 or longer. Alpha has as many."
        in board
    )


@pytest.mark.parametrize(
    ("gamma", "who", "leads", "on_badge"),
    [
        (10, ["Alpha", "Beta"], "Alpha and Beta together lead", "Alpha and Beta 50"),
        (50, ["Alpha", "Beta", "Gamma"], "Alpha and Beta and others together lead", "Alpha and Beta and others 50"),
    ],
)
def test_of_equals_none_of_whom_was_first_before_nobody_is_taken_for_the_leader(
    tmp_path: Path, gamma: int, who: list[str], leads: str, on_badge: str
) -> None:
    world = World(tmp_path)
    for number in (0, 1):
        counts = {"alpha-lab/alpha-1": 50, "beta-ai/beta-1": 50, "gamma/gamma-1": gamma}
        world.look(number, [model(name, count) for name, count in counts.items()])
    world.rank()
    sentence = f"{leads} families with 50 downloads in 30 days, first since 1 May 2026 or longer."
    with served(world.publish()) as client:
        (row,) = client.get("/api/boards").json()
        overview = client.get("/").text
        badge = ET.fromstring(client.get("/badge/families.svg").content)
        assert all(sentence in client.get(path).text for path in ("/board/families", "/embed/families"))
    assert (row["leader"], row["leaders"], row["days_led"], row["runner_up"]) == (None, who, 2, None)
    assert f"<title>{leads} families" in overview
    assert re.findall(r"<h1>(.*)</h1>", re.sub("</?bdi>", "", overview)) == [leads]
    assert re.findall(r'href="/family/(\w+)"', overview[overview.index('class="lead"') :])[:2] == who[:2]
    assert badge.get("aria-label") == f"lead families: {on_badge}"
    assert sentence in page(tmp_path / "adoption.duckdb", now())


def test_who_comes_up_to_those_who_share_the_first_place_is_not_among_those_who_led(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, gamma in enumerate((10, 50)):
        counts = {"alpha-lab/alpha-1": 50, "beta-ai/beta-1": 50, "gamma/gamma-1": gamma}
        world.look(number, [model(name, count) for name, count in counts.items()])
    world.rank()
    with served(world.publish()) as client:
        text = client.get("/board/families").text
    assert "Alpha and Beta together lead families with 50 downloads" in text
    assert "Gamma has as many." in text


@pytest.mark.parametrize(
    ("value", "measure", "said"),
    [
        (1, "likes", "1 like"),
        (1, "downloads_30d", "1 download in 30 days"),
        (1, "derivatives_28d", "1 derivative of the last 28 days"),
        (1, "series:totals", "1 as published"),
        (0, "likes", "0 likes"),
        (2, "likes", "2 likes"),
    ],
)
def test_one_of_anything_is_in_the_singular(value: float, measure: str, said: str) -> None:
    day = date(2026, 5, 1)
    leader = {
        "board": "all",
        "kind": "family",
        "leaders": ["Alpha"],
        "day": day,
        "since": day,
        "since_first_day": False,
    }
    leader |= {"value": value, "measure": measure, "runner_up": None, "margin": None}
    assert words.standing_in_words(leader) == f"Alpha leads all with {said}, first since 1 May 2026."


def test_two_values_side_by_side_have_digits_enough_to_see_which_is_larger(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, alpha in enumerate((1_050_000, 1_030_000)):
        world.look(number, [model("alpha-lab/alpha-1", alpha), model("beta-ai/beta-1", 1_040_000)])
    world.rank()
    with served(world.publish()) as client:
        assert "1.04M vs 1.03M" in client.get("/flips").text


def test_a_country_has_its_article_where_a_page_speaks_of_it(tmp_path: Path) -> None:
    families = [
        Family(name=name, country=at, publishers=(name,)) for name, at in (("alpha-lab", "GB"), ("beta-ai", "US"))
    ]
    world = small(World(tmp_path, (Board(name="countries", entity="country"),), Registry(families)))
    with served(world.publish()) as client:
        overview, board = client.get("/").text, client.get("/board/countries").text
    assert "<title>The United States leads countries" in overview
    assert "<h1><bdi>The United States</bdi> leads</h1>" in overview
    assert "ahead of <bdi>the United Kingdom</bdi> by" in overview
    assert "The United States leads countries with 52" in board
    assert "The United Kingdom follows with 38" in board


def test_a_family_shows_what_descends_from_it(site: httpx.Client) -> None:
    text = site.get("/family/Alpha").text

    assert "<bdi>Alpha Lab</bdi>, United States" in text
    assert "quantized" in text
    assert "https://huggingface.co/alpha-lab/alpha-1-gguf" in text
    assert "7.0B" in text


def test_a_family_has_no_flips_of_a_publisher_that_is_called_like_it(tmp_path: Path) -> None:
    families = [Family(name=name, country="US", publishers=(name, "x")) for name in ("alpha-lab", "beta-ai")]
    boards = (Board(name="families", entity="family"), Board(name="publishers", entity="publisher"))
    world = small(World(tmp_path, boards, Registry(families)))
    with served(world.publish()) as client:
        assert {flip["board"] for flip in client.get("/api/flips?entity=beta-ai").json()} == {"families", "publishers"}
        page = client.get("/family/beta-ai").text
        assert "on families, by" in page
        assert "on publishers, by" not in page


def test_the_dates_of_a_flip_are_of_what_its_board_ranks(tmp_path: Path) -> None:
    """A family may be called like one of its publishers, and a country has a name."""
    families = [Family(name="alpha-lab", country="US", publishers=("alpha-lab", "gamma"))]
    families.append(Family(name="beta-ai", country="CN", publishers=("beta-ai",)))
    boards = [Board(name=kind, entity=kind) for kind in ("publisher", "country")]
    world = small(World(tmp_path, boards, Registry(families)))
    with served(world.publish()) as client:
        flips = {flip["board"]: flip["flip_id"] for flip in client.get("/api/flips?entity=beta-ai").json()}
        flips |= {flip["board"]: flip["flip_id"] for flip in client.get("/api/flips?entity=CN").json()}
        pages = {board: client.get(f"/flips/{flip_id}").text for board, flip_id in flips.items()}
    assert "beta-ai led alpha-lab first between 2026-05-03 and 2026-05-04" in pages["publisher"]
    assert "China led the United States first between 2026-05-04 and 2026-05-05" in pages["country"]


def test_a_flip_can_be_quoted_and_cited(site: httpx.Client, flip_id: str) -> None:
    text = site.get(f"/flips/{flip_id}").text

    assert (
        "On 4 May 2026, Beta took the lead from Alpha on the board “families”: 44 against 40 downloads in 30 days, "
        "a lead of 9.1%. On 3 May 2026, the day before it on record, it was 41 against 45." in text
    )
    assert "It is true of the models, not only of the list" in text
    assert re.search(rf"leadchange [\d.]+, flip {flip_id}\. .*snapshot 20260504\d+ of hub\.", text)
    assert f"/flips/{flip_id}</code>" in text
    assert "What moved" in text
    assert "The date, by definition" in text
    assert text.count('<th scope="col">How sure</th>') == 2
    assert "<td>stands</td>" in text
    assert "Alerts about the two" in text, "also those about other days on which they changed places"


def test_an_alert_that_no_channel_has_is_not_said_to_be_told(tmp_path: Path) -> None:
    world = small(World(tmp_path))
    for status, fate in (("sent", "told"), ("pending", "not told yet"), ("dead", "not told yet")):
        world.db.execute("UPDATE deliveries SET status = $status", {"status": status})
        with served(world.publish()) as client:
            for path in ("/", f"/flips/{client.get('/api/flips').json()[0]['flip_id']}"):
                assert re.findall(r'<span class="tag[^>]*>([^<]*told[^<]*)<', client.get(path).text) == [fate]


def test_flips_can_be_chosen_by_board_and_kind(site: httpx.Client) -> None:
    assert "Beta" in site.get("/flips?board=families&kind=lead_change").text
    assert "No flip of this kind is known" in site.get("/flips?kind=overtake").text
    assert "Beta" in site.get("/flips?board=&kind=").text


NOWHERE = ["/board/nowhere", "/family/nobody", "/flips/0", "/embed/x", "/nothing", "/?board=x", "/flips?board=x"]


@pytest.mark.parametrize("path", [*NOWHERE, "/flips.atom?board=x"])
def test_what_is_not_there_is_said_on_a_page(site: httpx.Client, path: str) -> None:
    answer = site.get(path)

    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_an_unknown_name_is_answered_with_the_nearest(site: httpx.Client) -> None:
    assert "did you mean &#39;families&#39;?" in site.get("/board/famlies").text
    assert site.get("/api/boards/famlies/standing").json() == {
        "problem": "no board is called 'famlies'; did you mean 'families'?"
    }


def test_behind_the_last_flip_there_are_not_said_to_be_none(site: httpx.Client) -> None:
    text = site.get("/flips?start=100").text
    assert "No flip of this kind" not in text
    assert "Of 1 flip of this kind none is number 101 or later." in text
    assert "No flip of this kind is known." in site.get("/flips?kind=overtake&start=100").text


def test_flips_of_an_unknown_board_are_not_said_to_be_none(site: httpx.Client) -> None:
    """A feed that stays empty for a misspelt board would be waited on for ever."""
    for path in ("/flips.atom", "/flips", "/api/flips"):
        answer = site.get(path, params={"board": "famlies"})
        assert answer.status_code == 404
        assert "did you mean" in answer.text
    assert len(ET.fromstring(site.get("/flips.atom?board=").content).findall(f"{ATOM}entry")) == 1


def test_an_unknown_flip_is_not_taken_for_the_first_one(site: httpx.Client) -> None:
    assert site.get("/api/flips/nope").json() == {"problem": "no flip has the id 'nope'; /flips lists them"}


def test_a_day_before_the_first_is_answered_with_the_days_that_there_are(site: httpx.Client) -> None:
    text = site.get("/board/families?at=2026-04-01").text

    assert "no standing on 1 Apr 2026 nor before: its days are 1 May 2026 to 5 May 2026" in text
    assert "no standing yet" not in text


def test_a_board_that_nothing_can_stand_on_says_so_and_one_without_a_look_what_it_waits_for(tmp_path: Path) -> None:
    derived = Board(name="derived", entity="family", measure="derivatives")
    imported = Board(name="imported", entity="publisher", measure="series:totals")
    said = {
        "derived": "Nobody stands on this board: when it was ranked for 5 May 2026, no count was known",
        "imported": "This board has no standing yet: no complete snapshot of its source is known.",
    }
    with served(small(World(tmp_path, (derived, imported))).publish()) as client:
        for board, why in said.items():
            for path in (f"/board/{board}", *(f"/?board={one}" for one in said)):
                assert why in client.get(path).text


def test_what_is_wrong_with_an_address_is_said_with_its_part(site: httpx.Client) -> None:
    answer = site.get("/board/families?top=0")

    assert answer.status_code == 422
    assert "top: Input should be greater than or equal to 1" in answer.text


# States of the file


def test_every_page_survives_no_file_at_all(tmp_path: Path) -> None:
    with served(tmp_path / "adoption.duckdb") as client:
        for path in EMPTY_PAGES:
            assert client.get(path).status_code == 200, path
        assert client.get("/board/families").status_code == 404
        assert client.get("/sql?q=SELECT+1").status_code == 503
        assert "Nothing is known yet" in client.get("/").text


def test_who_has_looked_in_vain_is_not_told_to_take_a_first_look(tmp_path: Path) -> None:
    with served(unread(World(tmp_path)).publish()) as client:
        page = client.get("/").text
    assert "No complete look yet" in page
    assert "answered 500 (4 attempts)" in page
    assert "Take a first look" not in page


@pytest.mark.parametrize("fill", [lambda world: world, unread, one_look, suspect])
def test_every_page_survives_an_empty_a_short_and_a_suspect_warehouse(tmp_path: Path, fill: Any) -> None:  # noqa: ANN401
    world = fill(World(tmp_path))
    known = [row[0] for row in world.db.rows("SELECT board FROM boards")]
    with served(world.publish()) as client:
        for path in EMPTY_PAGES:
            assert client.get(path).status_code == 200, path
        for board in known:
            for path in ("/?board={}", "/board/{}", "/embed/{}", "/badge/{}.svg", "/charts/{}/race.json",
                         "/charts/{}/bump.json", "/charts/{}/shares.json", "/api/boards/{}/standing",
                         "/api/boards/{}/values"):  # fmt: skip
                assert client.get(path.format(board)).status_code == 200, path


def test_why_a_look_is_what_it_is_stands_there_to_its_end(tmp_path: Path) -> None:
    """A reason names publishers, and what it comes to stands last."""
    reason = f"unknown to the Hub: {', '.join(f'publisher-{number}' for number in range(20))}; 541 of 543 seen again"
    world = small(World(tmp_path))
    world.db.execute("UPDATE snapshots SET verdict_reason = $reason", {"reason": reason})
    with served(world.publish()) as client:
        for path in ("/", f"/flips/{client.get('/api/flips').json()[0]['flip_id']}"):
            assert reason in client.get(path).text


def test_on_the_first_day_nobody_is_called_new_and_no_chart_is_empty(tmp_path: Path) -> None:
    with served(one_look(World(tmp_path)).publish()) as client:
        text = client.get("/board/families").text
        assert ">new<" not in text
        assert re.findall(r'data-spec="/charts/families/(\w+)\.json"', text) == ["race"]
    with served(published()) as client:
        text = client.get("/board/families").text
        assert re.findall(r'data-spec="/charts/families/(\w+)\.json"', text) == ["race", "bump", "shares"]
        assert ">new<" not in client.get("/board/families?at=2026-05-01").text


def test_one_day_and_one_channel_are_in_the_singular(tmp_path: Path) -> None:
    world = one_look(World(tmp_path))
    world.alert()
    with served(world.publish()) as client:
        assert "nor before: its only day is 1 May 2026." in client.get("/board/families?at=2026-04-01").text
        assert "1 of 1 channel has it" in client.get("/").text


def test_a_suspect_last_day_is_said_and_not_shown(tmp_path: Path) -> None:
    with served(suspect(World(tmp_path)).publish(), now=lambda: now() + timedelta(days=1)) as client:
        for path in ("/", "/board/families"):
            text = client.get(path).text
            assert "The look of 6 May 2026 is suspect" in text
            assert "98% of the counters stand still" in text
            assert "the last complete day, 5 May 2026" in text
        chart = client.get("/charts/families/race.json").text
        assert "2026-05-06 suspect: 98% of the counters stand still" in chart


def test_a_line_breaks_off_where_more_is_unknown_than_before_and_after(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in (0, 1, 2, 6, 7, 9, 10):
        world.look(number, [model("alpha-lab/alpha-1", 50 + number)])
    world.rank()
    with served(world.publish(), now=lambda: now() + timedelta(days=9)) as client:
        assert len(re.findall('<polyline class="line c0"', client.get("/embed/families").text)) == 2
        for kind in ("race", "bump"):
            rows = client.get(f"/charts/families/{kind}.json").json()["datasets"]["lines"]
            assert [row["day"][:10] for row in rows if row["value"] is None] == ["2026-05-06"]


@pytest.mark.parametrize(
    ("days", "pieces"),
    [
        ([0, 30, 61, 91, 122], [5]),  # months
        ([0, 7, 14, 21, 22, 23, 24], [7]),  # weekly, then daily
        ([0, 1, 2, 3, 10, 17, 24], [7]),
        ([0, 3, 6, 23, 34, 36, 38, 41, 55, 62], [10]),  # now and then, as the Hub's counters were recorded
        ([0, 1, 2, 4, 5, 6, 9, 10, 11], [6, 3]),
        ([0, 9, 10, 19], [4]),  # no value stands alone
        ([0, 1, 9, 10, 19, 20], [2, 2, 2]),
        ([0], [1]),
    ],
)
def test_no_line_becomes_a_row_of_dots(days: list[int], pieces: list[int]) -> None:
    line = [(date(2026, 1, 1) + timedelta(days=day), float(day)) for day in days]
    assert [len(piece) for piece in svg.pieces(line)] == pieces
    assert [point for piece in svg.pieces(line) for point in piece] == line


def test_a_new_file_is_seen_at_once_and_pages_are_worked_out_once(tmp_path: Path) -> None:
    world = one_look(World(tmp_path))
    with served(world.publish()) as client:
        first = client.get("/")
        assert "<bdi>Alpha</bdi> leads" in first.text
        again = client.get("/", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for known in (first.headers["etag"].removeprefix("W/"), f'"x", {first.headers["etag"]}', "*"):
            assert client.get("/", headers={"if-none-match": known}).status_code == 304
        assert client.get("/", headers={"if-none-match": 'W/"x"'}).status_code == 200
        world.db.execute("UPDATE family_standings SET entity = 'Delta' WHERE entity = 'Alpha'")
        world.publish()
        second = client.get("/", headers={"if-none-match": first.headers["etag"]})
        assert second.status_code == 200
        assert "<bdi>Delta</bdi> leads" in second.text


def test_a_page_is_worked_out_again_when_what_it_says_of_its_age_is_over() -> None:
    moments = [now() + timedelta(hours=60)]
    with served(published(), now=lambda: moments[-1]) as client:
        assert "the last complete snapshot is 61 hours old" in client.get("/").text
        moments.append(now() + timedelta(days=30))
        assert "the last complete snapshot is 30 days old" in client.get("/").text


def test_an_answer_is_not_kept_beyond_its_day() -> None:
    """A query may ask what day it is."""
    moments = [now()]
    site = Site(Published(published()), lambda: moments[-1])
    before = site.state()
    assert site.state() == before
    moments.append(now() + timedelta(days=1))
    assert site.state() != before


def test_boards_stay_in_the_order_in_which_they_are_configured(tmp_path: Path) -> None:
    """The overview opens on the first: that must not be another one because a definition was written anew."""
    families, publishers = Board(name="families", entity="family"), Board(name="publishers", entity="publisher")
    world = World(tmp_path, (families, publishers))
    small(world)
    for boards in (
        world.boards, (families.model_copy(update={"where": "publisher <> 'x'"}), publishers), (publishers, families),
    ):  # fmt: skip
        world.boards = boards
        world.rank()
        with served(world.publish()) as client:
            names = [board.name for board in boards]
            assert [row["board"] for row in client.get("/api/boards").json()] == names
            assert re.findall(r'href="/\?board=(\w+)"', client.get("/").text) == names
        weekly = Digest(name="weekly", boards=("publishers", "families"))
        for chosen in ((), weekly.boards):
            text = digest.compose(world.db, digest.as_alert(weekly, now()), chosen, now=now()).text
            assert re.findall(r"^(\w+), 2026-05-05$", text, re.MULTILINE) == list(chosen or names)


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "adoption.duckdb"
    file.write_bytes(b"no database at all" * 400)
    with served(file) as client:
        assert client.get("/").status_code == 503
        assert client.get("/api/boards").status_code == 503
        assert client.get("/healthz").status_code == 503
        assert client.get("/metrics").status_code == 200


def test_names_from_outside_are_text_and_nothing_else(tmp_path: Path) -> None:
    world = hostile(World(tmp_path))
    with served(world.publish()) as client:
        flips = client.get("/api/flips").json()
        paths = ["/", "/board/families", "/board/models", "/flips", "/embed/models", "/badge/models.svg", "/flips.atom"]
        paths += [f"/flips/{flip['flip_id']}" for flip in flips[:4]]
        paths += [
            f"/family/{row['entity'].replace('/', '%2F')}" for row in client.get("/api/boards/families/standing").json()
        ]
        for path in paths:
            answer = client.get(path)
            assert answer.status_code in (200, 404), path
            assert "<script>alert" not in answer.text, path
            assert "<img src=x" not in answer.text, path
            assert not {"\u202e", "\u2066"} & set(answer.text), path
        assert HOSTILE in {row["vendor"] for row in client.get("/api/tables/families?format=json").json()}
        csv = client.get("/api/boards/models/standing?format=csv").text
        assert NASTY[0].split(">")[0].lstrip('"') in csv


# Security


def test_every_answer_carries_the_policy(site: httpx.Client) -> None:
    for path in ("/", "/healthz", "/api/boards", "/static/app.css", "/nothing", "/sql?q=DROP"):
        headers = site.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers or "uvicorn" in headers["server"]


def test_a_bug_is_answered_with_the_policy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Browsing, "newest_flips", bug)
    with served(published()) as client:
        for path in ("/flips", "/flips.atom", "/api/flips"):
            for ask in (client.get, client.head):
                answer = ask(path)
                assert answer.status_code == 500
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("/flips").text == "something is broken here: the log says what\n"


def test_only_badges_and_embeds_may_stand_in_other_pages(site: httpx.Client) -> None:
    for path in ("/embed/families", "/badge/families.svg"):
        headers = site.get(path).headers
        assert "frame-ancestors *" in headers["content-security-policy"]
        assert "x-frame-options" not in headers
        assert headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_over_http(site: httpx.Client, method: str) -> None:
    for path in ("/", "/sql", "/api/flips", "/api/sql"):
        answer = site.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"


def test_head_is_get_without_the_body(site: httpx.Client) -> None:
    for path in ("/", "/healthz", "/static/app.css"):
        answer = site.head(path)
        assert answer.status_code == 200
        assert answer.content == b""


def test_head_of_a_whole_relation_reads_none_of_it(site: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"/api/tables/families?format={form}" for form in formats.MEDIA]
    read = [dict(site.get(path).headers) for path in paths]

    def batches(*_: object, **__: object) -> None:
        raise AssertionError("it is read")

    monkeypatch.setattr(Database, "batches", batches)
    for path, headers in zip(paths, read, strict=True):
        answer = site.head(path)
        assert answer.status_code == 200
        assert {**headers, "date": ""} == {**answer.headers, "date": ""}
    assert site.head("/api/tables/nothing").status_code == 404
    assert site.head("/api/tables/families?format=xlsx").status_code == 422


def test_a_token_is_asked_for_where_there_is_one() -> None:
    with served(published(), token="s3cret") as client:
        assert client.get("/healthz").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic !!"}, {"authorization": "x"}):
            refused = client.get("/", headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == 'Basic realm="leadchange"'
            assert "content-security-policy" in refused.headers
        assert client.get("/api/boards", headers={"authorization": "Bearer s3cret"}).status_code == 200
        assert client.get("/", auth=("anybody", "s3cret")).status_code == 200


@pytest.fixture(scope="module")
def named() -> Iterator[httpx.Client]:
    """A site with a public name, behind a proxy."""
    names: dict[str, Any] = {"public_url": "https://adoption.example.org/", "hosts": ("127.0.0.1", "proxy.example.org")}
    with served(published(), **names) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200), ("[::1]:8765", 200), ("192.168.1.20", 200), ("localhost:8765", 200), ("docker", 200),
        ("adoption.example.org", 200), ("Adoption.Example.org:443", 200), ("proxy.example.org.", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("[::1].evil.example", 421), ("a.localhost", 421),
    ],
)  # fmt: skip
def test_only_its_own_names_are_answered_to(named: httpx.Client, host: str, status: int) -> None:
    """Otherwise a page elsewhere could point its name to this machine and read along."""
    answer = named.get("/api/boards", headers={"host": host})
    assert answer.status_code == status
    assert ("families" in answer.text) == (status == 200)


ASKED_BEFOREHAND = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
"""What a browser asks before a page of another origin may send a token."""


def test_only_pages_of_the_named_origins_may_read_along() -> None:
    with served(published(), origins=("https://lab.example",)) as client:
        for _ in range(2):  # the second is kept
            ours, theirs = (
                client.get("/api/boards", headers={"origin": origin})
                for origin in ("https://lab.example", "https://evil.example")
            )
            assert ours.headers["access-control-allow-origin"] == "https://lab.example"
            assert "access-control-allow-origin" not in theirs.headers
            assert {"origin", "accept-encoding"} == set(ours.headers["vary"].lower().split(", "))
        assert "access-control-allow-credentials" not in ours.headers
        assert client.get("/api/boards/none/values", headers={"origin": "https://lab.example"}).headers[
            "access-control-allow-origin"
        ]


def test_a_page_of_a_named_origin_may_send_the_token_and_change_nothing() -> None:
    with served(published(), token="s3cret", origins=("https://lab.example",)) as client:
        lab = {"origin": "https://lab.example"}
        asked = client.options("/api/boards", headers=lab | ASKED_BEFOREHAND)
        assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (200, "GET, HEAD")
        assert client.get("/api/boards", headers=lab | {"authorization": "Bearer s3cret"}).status_code == 200
        refused = client.get("/api/boards", headers=lab)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, lab["origin"])
        for other in (
            lab | ASKED_BEFOREHAND | {"access-control-request-method": "POST"},
            {"origin": "https://evil.example"} | ASKED_BEFOREHAND,
        ):
            assert client.options("/api/boards", headers=other).status_code == 400


def test_every_page_may_read_along_where_all_origins_are_allowed_and_none_where_none_is() -> None:
    for origins, said in ((("*",), "*"), ((), None)):
        with served(published(), origins=origins) as client:
            answer = client.get("/api/boards", headers={"origin": "https://lab.example"})
            assert answer.headers.get("access-control-allow-origin") == said
            assert client.get("/api/boards", headers={"host": "evil.example"}).status_code == 421


def test_no_page_says_where_the_file_lies(tmp_path: Path) -> None:
    file = tmp_path / "adoption.duckdb"
    file.write_bytes(b"no database" * 1000)
    with served(file) as client:
        for path in ("/", "/sql?q=SELECT+1", "/api/boards", "/healthz"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "adoption.duckdb is damaged" in answer.text
            assert str(tmp_path) not in answer.text


def test_what_is_kept_of_many_answers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 20_000)
    kept = cache.PageCache(create_app(Published(Path("nowhere")), now=now), state=lambda: "same")
    for number in range(30):
        asyncio.run(_asked(kept, f"/flips?start={number}"))
    assert 0 < sum(entry.size for entry in kept._entries.values()) <= 20_000


async def _asked(app: Any, path: str) -> None:  # noqa: ANN401
    at, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": at,
        "query_string": query.encode(),
        "headers": [],
        "root_path": "",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_: dict[str, Any]) -> None:
        return

    await app(scope, receive, send)


def test_pages_are_packed_for_who_can_unpack_them(site: httpx.Client) -> None:
    packed = site.get("/", headers={"accept-encoding": "gzip"})
    plain = site.get("/", headers={"accept-encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True), ("br, GZIP;q=0.5", True), ("x-gzip", True), ("gzip; q=1.0", True), ("gzip;q=0.001", True),
        ("gzip;q=0", False), ("identity, gzip; q=0.000", False), ("gzippy", False), ("*;q=0", False),
    ],
)  # fmt: skip
def test_who_says_that_they_cannot_unpack_is_given_it_plain(site: httpx.Client, accepted: str, packed: bool) -> None:
    answer = site.get("/", headers={"accept-encoding": accepted})
    assert ("content-encoding" in answer.headers) is packed


# SQL


def test_a_query_is_answered_as_a_page_json_and_csv(site: httpx.Client) -> None:
    query = {"q": "SELECT 1 AS one, 'a<b' AS text, NULL AS nothing"}

    page = site.get("/sql", params=query).text
    held = site.get("/sql", params={"q": "SELECT true AS yes, [DATE '2026-05-01', NULL] AS days"}).text
    assert "<bdi>true</bdi>" in held
    assert "<bdi>[2026-05-01, NULL]</bdi>" in held
    assert "a&lt;b" in page
    assert "NULL" in page
    assert site.get("/api/sql", params=query).json()["rows"] == [[1, "a<b", None]]
    assert site.get("/api/sql", params=query | {"format": "csv"}).text == "one,text,nothing\n1,a<b,\n"


def test_a_number_that_is_none_is_null_for_programs_as_on_the_command_line_and_has_its_name_on_the_page(
    site: httpx.Client,
) -> None:
    query = {"q": "SELECT 'inf'::DOUBLE AS a, ['-inf'::DOUBLE, 1] AS b, 'nan'::DOUBLE AS c, 'inf' AS d"}

    assert site.get("/api/sql", params=query).json()["rows"] == [[None, [None, 1], None, "inf"]]
    assert site.get("/api/sql", params=query | {"format": "csv"}).text == 'a,b,c,d\n,"[null, 1]",,inf\n'
    page = site.get("/sql", params=query).text
    assert '<td class="n">inf</td>' in page
    assert '<td class="n">nan</td>' in page


def test_columns_of_the_same_name_are_told_apart(site: httpx.Client) -> None:
    answer = site.get("/api/sql", params={"q": "SELECT 1 AS a, 2 AS a", "format": "csv"})

    assert answer.text == "a,a_2\n1,2\n"


def test_an_answer_that_was_cut_says_so_in_every_form(site: httpx.Client) -> None:
    with served(published(), limits=Limits(rows=3)) as client:
        query = {"q": "FROM range(9)"}
        assert "3 rows, the first of more" in client.get("/sql", params=query).text
        assert client.get("/api/sql", params=query).json()["truncated"]
        cut = client.get("/api/sql", params=query | {"format": "csv"})
        assert 'filename="answer-first-3.csv"' in cut.headers["content-disposition"]
        whole = client.get("/api/sql", params={"q": "FROM range(3)", "format": "csv"})
        assert 'filename="answer.csv"' in whole.headers["content-disposition"]


def test_csv_has_the_same_header_with_and_without_rows(site: httpx.Client, tmp_path: Path) -> None:
    with served(World(tmp_path).publish()) as empty:
        for path in ("flips", "alerts", "deliveries", "snapshots", "boards"):
            filled, nothing = (client.get(f"/api/{path}?format=csv").text.splitlines() for client in (site, empty))
            assert len(filled) > 1
            assert nothing == filled[:1], path


@pytest.mark.parametrize(
    "query", ["DROP TABLE flips", "SELECT nope", "FROM read_text('/etc/passwd')", "SELECT 1; SELECT 2"]
)
def test_a_refused_query_is_said_to_be(site: httpx.Client, query: str) -> None:
    page = site.get("/sql", params={"q": query})

    assert page.status_code == 400
    assert "Not answered" in page.text
    assert "problem" in site.get("/api/sql", params={"q": query}).json()


def test_a_query_ends_with_its_time() -> None:
    with served(published(), limits=Limits(seconds=0.5)) as client:
        answer = client.get("/api/sql", params={"q": "SELECT count(*) FROM range(100000000000)"})

    assert answer.status_code == 400
    assert "stopped after 0.5 s" in answer.json()["problem"]


def test_every_worked_question_is_offered_and_answered(site: httpx.Client) -> None:
    links = re.findall(r'<li><a href="(/sql\?q=[^"]+)">', site.get("/sql").text)

    assert len(links) >= 12
    assert {site.get(link.replace("&amp;", "&")).status_code for link in links[:3]} == {200}


# For other programs


def test_the_feed_is_valid_atom_and_stays_the_same(site: httpx.Client, flip_id: str) -> None:
    answer = site.get("/flips.atom")
    feed = ET.fromstring(answer.content)

    assert answer.headers["content-type"] == "application/atom+xml"
    assert feed.tag == f"{ATOM}feed"
    for element in (feed, *feed.findall(f"{ATOM}entry")):
        assert element.findtext(f"{ATOM}id", "").startswith("urn:uuid:")
        assert element.findtext(f"{ATOM}title")
        datetime.fromisoformat(element.findtext(f"{ATOM}updated", ""))
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None
    (entry,) = feed.findall(f"{ATOM}entry")
    link = entry.find(f"{ATOM}link")
    assert link is not None
    assert link.get("href") == str(site.base_url.join(f"/flips/{flip_id}"))
    assert site.get("/flips.atom").content == answer.content


def test_the_feed_of_a_board_is_another_feed(site: httpx.Client) -> None:
    """A reader knows a feed by its id, and may go on with the address that it gives itself."""
    query = "?board=families&kind=overtake"
    feeds = [ET.fromstring(site.get(f"/flips.atom{asked}").content) for asked in ("", query)]
    every, one = ({link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")} for feed in feeds)

    assert len({feed.findtext(f"{ATOM}id") for feed in feeds}) == 2
    assert [feed.findtext(f"{ATOM}title", "").partition(": ")[2] for feed in feeds] == [
        "who passed whom", "who passed whom on families",
    ]  # fmt: skip
    assert every["self"] == str(site.base_url.join("/flips.atom"))
    assert one["self"] == str(site.base_url.join(f"/flips.atom{query}"))
    assert one["alternate"] == str(site.base_url.join(f"/flips{query}"))


def test_a_feed_without_entries_is_as_old_as_the_last_look_that_brought_none(tmp_path: Path) -> None:
    with served(published()) as client:
        one = ET.fromstring(client.get("/flips.atom?kind=overtake").content)
        assert one.findtext(f"{ATOM}updated") == "2026-05-05T10:00:00Z"
    with served(tmp_path / "adoption.duckdb") as client:
        nothing = ET.fromstring(client.get("/flips.atom").content)
        assert nothing.findtext(f"{ATOM}updated") == f"{now():%Y-%m-%dT%H:%M:%SZ}"


def test_links_that_leave_the_site_begin_with_its_public_address() -> None:
    with served(published(), public_url="https://adoption.example/") as client:
        assert 'href="https://adoption.example/flips/' in client.get("/flips.atom").text


def test_a_badge_says_who_leads(site: httpx.Client) -> None:
    answer = site.get("/badge/families.svg")

    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(answer.content).get("aria-label") == "leads families: Beta 52"


def test_a_badge_has_room_for_chinese(tmp_path: Path) -> None:
    widths = []
    for number, name in enumerate(("通义千问", "Qwen")):
        registry = Registry([Family(name=name, country="CN", publishers=("alpha-lab",))])
        folder = tmp_path / str(number)
        folder.mkdir()
        with served(one_look(World(folder, registry=registry)).publish()) as client:
            badge = ET.fromstring(client.get("/badge/families.svg").content)
            assert badge.get("aria-label") == f"leads families: {name} 50"
            widths.append(int(badge.get("width", "")))
    assert widths[0] - widths[1] > 10


def test_metrics_say_of_the_daemons_jobs_when_they_ended_and_how(tmp_path: Path) -> None:
    done = {"collect": LastRun(now(), now(), ok=True, tries=1), "prune": LastRun(now(), now(), ok=False, tries=4)}
    never: dict[str, LastRun | None] = {"census": None, "deliver": LastRun(now(), None, ok=False, tries=1)}
    with served(small(World(tmp_path)).publish(), collectors=[Jobs(lambda: done | never)]) as client:
        text = client.get("/metrics").text
    assert re.findall(r'^leadchange_job_ok{job="(\w+)"} (\S+)', text, re.MULTILINE) == [
        ("collect", "1.0"),
        ("prune", "0.0"),
    ]
    ended = re.findall(r'^leadchange_job_end_timestamp_seconds{job="(\w+)"} (\S+)', text, re.MULTILINE)
    assert [(job, float(seconds)) for job, seconds in ended] == [(job, now().timestamp()) for job in done]


def test_metrics_have_the_names_that_prometheus_users_expect(site: httpx.Client) -> None:
    text = site.get("/metrics").text
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert found["leadchange_snapshots_total", ("source", "hub"), ("verdict", "complete")] == 5
    assert found["leadchange_deliveries", ("status", "sent")] == 1
    assert found["leadchange_board_value", ("board", "families"), ("entity", "Beta")] == 52
    assert found["leadchange_board_rank", ("board", "families"), ("entity", "Alpha")] == 2
    assert found["leadchange_healthy",] == 1
    last = found["leadchange_last_complete_snapshot_timestamp_seconds", ("source", "hub")]
    assert datetime.fromtimestamp(last, UTC) == now() - timedelta(hours=1)
    assert any(name == "process_resident_memory_bytes" for name, *_ in found)


def test_health_is_green_while_fresh_and_red_when_stale() -> None:
    with served(published()) as client:
        assert client.get("/healthz").json() == {
            "status": "ok", "reasons": [], "notes": [], "last_complete": "2026-05-05T10:00:00+00:00",
            "version": client.get("/openapi.json").json()["info"]["version"],
        }  # fmt: skip
    with served(published(), now=lambda: now() + timedelta(days=5)) as client:
        answer = client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the last complete snapshot is 121 hours old"]
        assert "Please note" in client.get("/").text


def test_health_says_why_there_is_nothing_complete(tmp_path: Path) -> None:
    with served(unread(World(tmp_path)).publish()) as client:
        nothing, why = client.get("/healthz").json()["reasons"]
        assert nothing == "no complete snapshot yet"
        assert why.startswith("the look of 2026-05-01 10:00 UTC is failed: https://huggingface.co cannot be read")
        assert why in client.get("/").text


def test_a_look_that_is_not_judged_by_is_no_illness_while_the_one_before_is_fresh(tmp_path: Path) -> None:
    world = suspect(World(tmp_path))
    with served(world.publish(), now=lambda: now() + timedelta(days=1)) as client:
        assert client.get("/healthz").json()["reasons"] == []
    with served(world.publish(), now=lambda: now() + timedelta(days=3)) as client:
        assert client.get("/healthz").json()["reasons"] == [
            "the last complete snapshot is 73 hours old",
            "the look of 2026-05-06 10:00 UTC is suspect: 98% of the counters stand still",
        ]


def test_health_is_the_daemon_s_word_where_there_is_one() -> None:
    sick = Health(False, ("collect has been running for 9000 s and should have ended",), None)
    with served(published(), health=lambda: sick) as client:
        answer = client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == list(sick.reasons)
        assert client.get("/metrics").text.count("leadchange_healthy 0.0") == 1


def test_the_docs_page_describes_every_path_of_the_api(site: httpx.Client) -> None:
    text = site.get("/docs").text

    for path in site.get("/openapi.json").json()["paths"]:
        assert f"GET {path}" in text


def test_a_picture_of_numbers_below_nothing_is_a_picture() -> None:
    """A warehouse may hold totals that were imported before such were refused."""
    values = [(date(2026, 5, 1), -5.0), (date(2026, 5, 2), -3.0)]
    drawn = svg.lines({"a": values}, label="a: values", form="{:g}".format)
    points = re.findall(r'points="[\d.]+,([\d.]+) [\d.]+,([\d.]+)"', drawn)[0]
    assert 0 < float(points[1]) < float(points[0]) <= 340


def test_every_measure_has_a_unit() -> None:
    bare = [measure for measure in MEASURES if words.unit(measure) == measure.replace("_", " ")]
    assert bare == ["likes", "derivatives"]


# What is bundled


def test_the_bundled_vega_is_what_vl_convert_ships() -> None:
    assert gzip.decompress(bundle.TARGET.read_bytes()) == bundle.bundle(), "run `python -m monitor.web.bundle`"


def test_bundled_files_are_kept_for_ever_by_their_hash(site: httpx.Client) -> None:
    for name in ("app.css", "charts.js", "sql.js", "mark.svg", "vega.js"):
        address = f"/static/{name}?v={statics.version(name)}"
        assert address in "".join(site.get(path).text for path in ("/", "/sql"))
        answer = site.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert site.get("/static/../app.py").status_code == 404
    assert site.get("/static/nothing.js").status_code == 404


def test_a_chart_is_the_specification_of_the_race(site: httpx.Client, flip_id: str) -> None:
    race = site.get("/charts/families/race.json?theme=dark").json()

    assert race["usermeta"]["margin"] > 50
    assert "Beta" in json.dumps(race)
    assert f"/flips/{flip_id}" in json.dumps(race)
    assert site.get(f"/charts/flip/{flip_id}/duel.json?axis=log").status_code == 200
    assert site.get("/charts/families/race.json?theme=pink").status_code == 422


def test_the_strip_below_a_chart_shows_the_time_that_the_chart_does(tmp_path: Path) -> None:
    """Days that are not judged by may come after the last value: the strip ended before the chart above it did."""
    with served(suspect(World(tmp_path)).publish(), now=lambda: now() + timedelta(days=1)) as client:
        upper, strip = client.get("/charts/families/race.json").json()["vconcat"]
    assert all("unjudged" in json.dumps(part) for part in (upper, strip))
