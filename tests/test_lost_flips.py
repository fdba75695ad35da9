"""A link in an old message leads to a flip that later data has taken back, or moved: its page says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import spine
from races import LEAD, Race
from test_monitor_cli import outside
from test_monitor_web import served
from test_warehouse_identity import judged, renamed

from jobs import detect
from warehouse.published.publish import publish
from warehouse.registry import Registry

THREE = LEAD.model_copy(update={"confirm": 3})


def flip_of(race: Race) -> str:
    return str(race.db.value("SELECT flip_id FROM flips WHERE entity = 'B' ORDER BY day DESC LIMIT 1"))


def published(race: Race, folder: Path) -> Path:
    publish(race.db, folder / "adoption.duckdb")
    return folder / "adoption.duckdb"


def corrected(race: Race) -> str:
    """B was ahead, and never was; the flip that was told."""
    race.on(0, A=100, B=90)
    race.on(1, A=100, B=110)
    told = flip_of(race)
    race.on(1, A=100, B=95)
    race.on(2, A=100, B=95)
    return told


def moved(race: Race) -> str:
    """B has led since a day that was not looked at, and is known later; the flip that was told."""
    race.on(0, A=100, B=90)
    for number in (2, 3, 4):
        race.on(number, A=100, B=110)
    told = flip_of(race)
    race.on(1, A=100, B=110)
    return told


def test_a_flip_that_was_told_and_corrected_says_what_was_told_and_when_that_was_taken_back(tmp_path: Path) -> None:
    with Race() as race:
        told = corrected(race)
        with served(published(race, tmp_path)) as client:
            page, data = client.get(f"/flips/{told}"), client.get(f"/api/flips/{told}")
            chart = client.get(f"/charts/flip/{told}/duel.json")

    said = (
        "“B takes the lead from A on totals” was told, as of 2 May 2026: 110 against 100. "
        "It was corrected on 2 May 2026: later data for these days no longer bears it out."
    )
    assert (page.status_code, data.status_code, chart.status_code) == (410, 410, 410)
    assert "This flip is not on record any more" in page.text
    assert said in page.text
    assert data.json() == {"problem": said}


def test_a_flip_that_late_data_moved_leads_to_the_day_on_which_it_is_now(tmp_path: Path) -> None:
    with Race(THREE) as race:
        told = moved(race)
        now = flip_of(race)
        with served(published(race, tmp_path)) as client:
            page = client.get(f"/flips/{told}")
            there = client.get(f"/flips/{now}")

    assert told != now
    assert page.status_code == 410
    assert "The flip is on record as of 2 May 2026 now, at another address." in page.text
    assert f'href="/flips/{now}"' in page.text
    assert there.status_code == 200


def test_a_flip_that_led_by_little_for_long_before_it_was_told_is_found_too(tmp_path: Path) -> None:
    wide = LEAD.model_copy(update={"margin": 0.05})
    with Race(wide) as race:
        race.on(0, A=1000, B=990)
        for number in range(1, 60):
            race.on(number, A=1000, B=1010)
        told = flip_of(race)
        race.on(60, A=1000, B=1100)
        race.arrive_all([(number, "B", 990) for number in range(1, 61)])
        race.judge(60)
        with served(published(race, tmp_path)) as client:
            page = client.get(f"/flips/{told}")

    assert page.status_code == 410
    assert "It was corrected on" in page.text


def leads_on(file: Path, told: str, now: str) -> None:
    """The link of a flip as it was told leads to the one that it is now."""
    with served(file) as client:
        page = client.get(f"/flips/{told}")
    assert told != now
    assert page.status_code == 410
    assert f'href="/flips/{now}"' in page.text


def test_a_flip_between_two_who_are_called_otherwise_by_now_leads_to_the_one_under_their_names(tmp_path: Path) -> None:
    with spine.warehouse() as db, spine.hub() as hub:
        for number, beta in enumerate((20, 40, 40, 40)):
            judged(db, hub, number, spine.listed(30, beta))
        told = str(db.value("SELECT flip_id FROM flips"))
        hub.moved["beta-ai"] = "beta-next"
        judged(db, hub, 4, renamed(spine.listed(30, 40), "beta-ai", "beta-next"))
        now = str(db.value("SELECT flip_id FROM flips"))
        publish(db, tmp_path / "adoption.duckdb")
    leads_on(tmp_path / "adoption.duckdb", told, now)


def test_a_flip_of_a_family_that_the_registry_calls_otherwise_by_now_leads_to_the_one_under_its_name(
    tmp_path: Path,
) -> None:
    with spine.warehouse() as db, spine.hub() as hub:
        for number, beta in enumerate((20, 40)):
            spine.look(db, hub, number, spine.listed(30, beta))
            spine.judge(db, number)
        told = str(db.value("SELECT flip_id FROM flips"))
        families = [
            one.model_copy(update={"name": "Betamax", "formerly": ("Beta",)}) if one.name == "Beta" else one
            for one in spine.REGISTRY.families
        ]
        detect.run(db, (spine.FAMILIES,), (spine.RULE,), Registry(families), now=spine.moment(1, 12))
        now = str(db.value("SELECT flip_id FROM flips"))
        publish(db, tmp_path / "adoption.duckdb")
    leads_on(tmp_path / "adoption.duckdb", told, now)


def explained(file: Path, flip_id: str) -> tuple[int, str]:
    """How `leadchange explain` ends, and what it says."""
    (file.parent / "leadchange.toml").write_text(f"[warehouse]\npublish = '{file.name}'\n")
    done = outside("explain", flip_id, "--config", file.parent / "leadchange.toml")
    return done.code, done.err


def test_the_command_line_says_what_became_of_it_too(tmp_path: Path) -> None:
    with Race() as race:
        told = corrected(race)
        file = published(race, tmp_path)
    said = (
        "“B takes the lead from A on totals” was told, as of 2 May 2026: 110 against 100. "
        "It was corrected on 2 May 2026: later data for these days no longer bears it out.\n"
    )
    assert explained(file, told) == (2, said)
    assert explained(file, "0123456789")[1].startswith("no flip has the id '0123456789'; ")


def test_the_command_line_names_the_flip_that_late_data_moved(tmp_path: Path) -> None:
    with Race(THREE) as race:
        told = moved(race)
        code, said = explained(published(race, tmp_path), told)
        assert (code, said.split(". ")[-1]) == (2, f"`leadchange explain {flip_of(race)}` explains it.\n")


@pytest.mark.parametrize("flip_id", ["0123456789", "nothing", "%27"])
def test_a_flip_that_nobody_was_told_of_is_unknown_as_ever(tmp_path: Path, flip_id: str) -> None:
    with Race() as race:
        corrected(race)
        with served(published(race, tmp_path)) as client:
            assert client.get(f"/flips/{flip_id}").status_code == 404


def test_a_flip_that_is_on_record_again_is_a_page_as_any_other(tmp_path: Path) -> None:
    with Race() as race:
        told = corrected(race)
        race.on(1, A=100, B=110)
        with served(published(race, tmp_path)) as client:
            assert client.get(f"/flips/{told}").status_code == 200
