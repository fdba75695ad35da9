"""docs/forecasts.md is what the bundled data says; and what people see of forecasts."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import polars as pl
import pytest
from alert_samples import USUAL
from spine import day, model, moment
from test_backtests import Done, run
from test_demo import Demo, demo
from test_monitor_web import served
from web_world import World

from alerts import outlooks
from alerts.message import compose
from jobs import digest
from jobs.digest import Digest
from monitor import report
from monitor.cli import app as cli
from monitor.cli import forecast as forecast_command
from tests.make_forecasts import PAGE, page
from warehouse.forecasts import forecast
from warehouse.published.reading import Reading
from warehouse.ranking.boards import Board

__all__ = ["demo", "run"]  # fixtures, shared with those who ask about the demo


# The page


def test_the_page_is_what_the_bundled_data_says(demo: Demo) -> None:
    """`python -m tests.make_forecasts` writes it anew."""
    assert PAGE.read_text("utf-8") == page(demo.folder / "adoption.duckdb")


# On the command line


def test_a_forecast_says_who_may_take_the_lead_and_who_may_pass_whom(run: Callable[..., Done]) -> None:
    done = run("forecast", "monthly")
    assert done.code == 0
    assert "monthly, seen from 2026-09-30: the chance that one has passed the other by then" in done.out
    assert "The likeliest to pass Qwen, which leads: " in done.out
    (row,) = [line.split() for line in done.out.splitlines() if line.startswith("nvidia ") and " google " in line]
    assert row == ["nvidia", "google", "19.4%", "34%", "58%", "70%", "2026-10-10", "2026-11-29"]
    assert "with less than 10% within 180 days are left out: --least 0 shows all." in done.out


def test_it_can_be_seen_from_an_earlier_day_about_one_of_them_for_programs(run: Callable[..., Done]) -> None:
    done = run("forecast", "monthly", "--entity", "qwem")
    assert (done.code, done.out) == (2, "")
    assert done.err == "no one among the first is called 'qwem'; did you mean 'Qwen'?\n"
    done = run("forecast", "monthly", "--at", "2025-03-31", "--entity", "qwen", "--least", "0", "--format", "json")
    rows = {row["rival"]: row for row in json.loads(done.out)}
    assert {row["entity"] for row in rows.values() if row["rival"] != "Qwen"} == {"Qwen"}
    assert rows["meta-llama"]["day"] == "2025-03-31"
    assert 0.3 < rows["meta-llama"]["within_30d"] < rows["meta-llama"]["within_180d"] < 1


def test_a_country_may_be_called_by_its_name(run: Callable[..., Done]) -> None:
    by_name, by_code = (
        run("forecast", "countries", "--entity", name, "--least", "0", "--format", "csv") for name in ("China", "CN")
    )
    assert by_name.out == by_code.out
    assert by_name.out.count("CN") > 3


def test_its_score_is_that_of_the_page(run: Callable[..., Done]) -> None:
    rows = json.loads(run("forecast", "families", "--score", "--format", "json").out)
    text = PAGE.read_text("utf-8")
    for row in rows:
        assert (
            f"| families | {row['horizon']} | {row['forecasts']} | {row['said']:.1%} | {row['came']:.1%} "
            f"| {row['skill']:.2f} | {row['line_skill']:.2f} |"
        ) in text
    both = run("forecast", "families", "--score", "--entity", "Qwen")
    assert (both.code, both.out) == (2, "")
    assert "--entity: it does not go with --score" in both.err
    shown = run("forecast", "families", "--score")
    assert "By the chance that was said" in shown.out
    assert "far fewer independent forecasts" in shown.err


def test_one_that_is_left_out_is_in_the_singular(run: Callable[..., Done]) -> None:
    rows = json.loads(run("forecast", "families", "--top", "3", "--least", "0", "--format", "json").out)
    least = sorted(row["within_180d"] for row in rows)[1]
    shown = run("forecast", "families", "--top", "3", "--least", least)
    assert re.search(r"^1 with less than \d+% within 180 days is left out", shown.out, re.MULTILINE)


def test_what_cannot_be_forecast_is_said_in_one_line(run: Callable[..., Done]) -> None:
    models = run("forecast", "models")
    assert (models.code, models.out) == (2, "")
    assert "models ranks single models, which rise and fade too quickly to be forecast" in models.err
    early = run("forecast", "families", "--at", "2026-03-04")
    assert early.code == 0
    assert early.out.startswith("nothing can be forecast: it takes two who were both seen")
    assert run("forecast", "families", "--at", "2026-03-04", "--format", "json").out == "[]\n"
    header = run("forecast", "families", "--at", "2026-03-04", "--format", "csv").out
    assert header.startswith("day,entity,rival,value,rival_value,margin,within_30d")
    never = run("forecast", "families", "--at", "2026-03-04", "--score")
    assert never.out == "no forecast on families is old enough to say how it did\n"


# On the pages, in the API and in the digest


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three publishers of which two are near; and a board of their models."""
    boards = (Board(name="families", entity="family"), Board(name="models", entity="model"))
    world = World(tmp_path, boards)
    for number, alpha in zip((0, 14, 28, 42), (100, 98, 95, 97), strict=True):
        world.look(
            number,
            [model("alpha-lab/alpha-1", alpha), model("beta-ai/beta-1", 90), model("gamma/gamma-1", 1)],
        )
    world.rank()
    return world


def test_a_board_shows_what_may_come(world: World) -> None:
    with served(world.publish()) as client:
        text = client.get("/board/families").text
        rows = client.get("/api/boards/families/forecast").json()
        assert "What may come" not in client.get("/board/models").text
        assert client.get("/api/boards/models/forecast").json() == []
        early = client.get("/board/families?at=2026-05-15").text
    assert "The likeliest to pass Alpha, which leads: Beta, with a chance of" in text
    first = rows[0]
    assert (first["entity"], first["rival"], first["day"]) == ("Beta", "Alpha", day(42).isoformat())
    section = text[text.index('id="ahead"') : text.index('id="flips"')]
    for horizon in ("within_30d", "within_90d", "within_180d"):
        assert f"{first[horizon]:.0%}" in section
    assert "Gamma" not in section
    assert "Nothing can be forecast: it takes two who were both seen on days that are 28 days apart." in early


def test_the_overview_and_the_report_say_how_safe_the_lead_is(world: World) -> None:
    (one, *_) = Reading(world.db).outlooks("families")
    target = world.publish()
    with served(target) as client:
        overview = client.get("/").text
        models = client.get("/?board=models").text
    assert "<dt>chance that <bdi>Beta</bdi> has passed within 90 days</dt>" in overview
    assert f"<dd>{one.within_90d:.0%}</dd>" in overview
    assert "has passed within" not in models
    assert (
        report.page(target, moment(43)).count("The likeliest to pass Alpha, which leads: Beta, with a chance of") == 1
    )


def test_of_equals_who_was_first_before_leads_wherever_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path)
    for number, alpha in ((0, 80), (14, 85), (28, 80), (42, 90)):
        world.look(number, [model("alpha-lab/alpha-1", alpha), model("beta-ai/beta-1", 90), model("gamma/gamma-1", 1)])
    world.rank()
    with served(world.publish()) as client:
        pages = [client.get(path).text for path in ("/board/families", "/board/families?top=1")]
        assert "<dt>chance that <bdi>Alpha</bdi> has passed within 90 days</dt>" in client.get("/").text
    file = tmp_path / "leadchange.toml"
    file.write_text('[warehouse]\npublish = "adoption.duckdb"\n')
    assert cli.run(["forecast", "families", "--config", str(file)]) == 0
    pages.append(capsys.readouterr().out)
    assert "2 with less than 10% within 180 days are left out" in pages[-1]
    assert all("The likeliest to pass Beta, which leads: Alpha, with a chance of" in text for text in pages)
    week = digest.as_alert(Digest(name="weekly"), moment(43))
    assert "Beta leads families." in digest.compose(world.db, week, (), now=moment(43)).text


@pytest.mark.parametrize(("ago", "said"), [(0, False), (1, False), (50, True)])
def test_where_days_that_are_named_have_passed_it_is_said_when_the_data_end(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ago: int, said: bool
) -> None:
    world.publish()
    file = world.folder / "leadchange.toml"
    file.write_text('[warehouse]\npublish = "adoption.duckdb"\n')
    last: date = world.db.value("SELECT max(day) FROM standings")
    monkeypatch.setattr(forecast_command, "utc_now", lambda: datetime.combine(last, time(), UTC) + timedelta(days=ago))
    ended = f"The data end on {last}, {ago} days ago: days named below count from there, and some have passed.\n"
    for asked, expected in (([], said), (["--at", str(last)], False), (["--format", "json"], False)):
        assert cli.run(["forecast", "families", "--least", "0", *asked, "--config", str(file)]) == 0
        shown = capsys.readouterr()
        assert (ended in shown.out) == expected
        assert "The data end" not in shown.err
        assert ("The data end" in shown.out) == expected


def test_a_forecast_comes_in_every_form_and_about_whom_one_asks(world: World) -> None:
    with served(world.publish()) as client:
        path = "/api/boards/families/forecast"
        rows = client.get(path).json()
        frame = pl.read_parquet(io.BytesIO(client.get(path, params={"format": "parquet"}).content))
        csv = client.get(path, params={"format": "csv"}).text
        about = client.get(path, params={"entity": "Gamma"}).json()
        assert client.get("/api/boards/famlies/forecast").status_code == 404
    assert len(rows) == frame.height == 3
    assert frame.columns == list(rows[0]) == csv.splitlines()[0].split(",")
    assert {row["entity"] for row in about} == {"Gamma"}


def test_where_nobody_is_likely_to_pass_the_page_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in (0, 28, 56):
        world.look(number, [model("alpha-lab/alpha-1", 1_000_000), model("beta-ai/beta-1", 1)])
    world.rank()
    with served(world.publish()) as client:
        text = client.get("/board/families").text
    assert "Nobody among the first ten is likely to pass another within 180 days: no chance reaches 10%." in text


def test_the_digest_tells_what_is_likely_soon(world: World) -> None:
    wanted = Digest(name="weekly", channels=("console",))
    alert = digest.as_alert(wanted, moment(43))
    made = digest.compose(world.db, alert, (), now=moment(43))
    (one, *_) = Reading(world.db).outlooks("families")
    assert "What may come within 30 days" in made.text
    assert f"Beta may pass Alpha  {one.within_30d:.0%}" in made.text
    assert "Gamma may pass" not in made.text
    (board, models) = made.data["boards"]
    assert [(row["entity"], row["rival"]) for row in board["ahead"]] == [("Beta", "Alpha")]
    assert board["ahead"][0]["within_90d"] == one.within_90d
    assert models["ahead"] == []


def test_an_alert_says_how_likely_it_is_not_to_last(world: World) -> None:
    one = Reading(world.db).outlook("families", "Alpha", "Beta", at=day(42))
    assert one is not None
    (row, *_) = Reading(world.db).outlooks("families")
    assert one == row
    told = compose(replace(USUAL, entity="Alpha", rival="Beta", rival_back_30d=one.within_30d))
    for form in (told.text, told.html, json.dumps(told.blocks)):
        assert f"{one.within_30d:.0%} chance that Beta is ahead again within 30 days" in form
    assert told.data["rival_back_30d"] == one.within_30d
    over = compose(replace(USUAL, rival_back_30d=0.3, state="reverted"))
    assert "ahead again within" not in over.text
    assert "ahead again within" not in compose(USUAL).text


def test_nothing_is_said_of_two_on_a_day_on_which_the_one_is_not_ahead_or_not_seen(world: World) -> None:
    reading = Reading(world.db)
    assert reading.outlook("families", "Beta", "Alpha", at=day(42)) is None
    assert reading.outlook("families", "Alpha", "Beta", at=day(41)) is None
    assert reading.outlook("families", "Alpha", "Nobody", at=day(42)) is None
    assert reading.outlook("models", "alpha-lab/alpha-1", "beta-ai/beta-1", at=day(42)) is None
    assert reading.outlook("nothing", "Alpha", "Beta", at=day(42)) is None


def test_the_alerts_of_the_demo_say_it(demo: Demo) -> None:
    told = sorted((demo.folder / "outbox").glob("*.eml"))
    said = [
        re.search(r"Outlook +(under 1%|\d+%) chance that ([\w-]+) is ahead again within 30 days", _text(file))
        for file in told
    ]
    assert [found[2] for found in said if found] == ["meta-llama"] * 4


def _text(file: Path) -> str:
    part = message_from_bytes(file.read_bytes(), policy=policy.default).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


# In words


def test_of_several_who_lead_together_nobody_is_said_to_lose_it() -> None:
    history = [(day(28 * n), {"A": 10.0, "B": 10.0, "C": 9.0}) for n in range(3)]
    found = forecast.outlooks(history, totals=False)
    assert outlooks.on_the_lead("family", ["A", "B"], found) == ""
    assert outlooks.on_the_lead("family", [], []) == ""
    assert outlooks.on_the_lead("family", ["A"], found).startswith("The likeliest to pass A, which leads: B, with")


def test_countries_are_spoken_of_by_their_names() -> None:
    history = [(day(28 * n), {"CN": 10.0, "US": 9.0}) for n in range(3)]
    found = forecast.outlooks(history, totals=False)
    assert "pass China, which leads: the United States, with a chance of" in outlooks.on_the_lead(
        "country", ["CN"], found
    )
    assert outlooks.in_words("country", found[0]) == "the United States may pass China"


def test_what_is_hostile_is_harmless_in_them() -> None:
    history = [(day(28 * n), {"A\x1b[31m": 10.0, "B\u202e": 9.0}) for n in range(3)]
    (one,) = forecast.outlooks(history, totals=False)
    assert "\x1b" not in outlooks.in_words("publisher", one)
    assert "\u202e" not in outlooks.on_the_lead("publisher", ["A\x1b[31m"], [one])
    assert one.day == date(2026, 6, 26)
