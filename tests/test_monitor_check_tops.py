"""What `check` says about rules whose top places are the whole board."""

from __future__ import annotations

from pathlib import Path

import pytest
import spine

from monitor import check_tops, config
from warehouse.ranking.boards import Board


def settings(folder: Path, board: str, top: int, when: str = "enters_top", more: str = "") -> config.Settings:
    rule = f'[[rule]]\nname = "new"\nboard = "{board}"\nwhen = "{when}"\ntop = {top}\nchannels = ["outbox"]\n'
    return config.load(spine.configure(folder, "http://127.0.0.1:9", more=rule + more), {})


@pytest.mark.parametrize("when", ["enters_top", "leaves_top"])
def test_a_top_that_holds_every_family_is_told_of_before_anything_is_collected(tmp_path: Path, when: str) -> None:
    assert list(check_tops.too_wide(settings(tmp_path, "families", 3, when))) == [
        "rule new: board families has 3 families at most, and with top = 3 all are in: it has nothing to tell"
    ]


def test_a_top_that_holds_every_country_is_told_of_though_there_are_more_families(tmp_path: Path) -> None:
    country = spine.REGISTRY.families[0].country
    more = f'[[family]]\nname = "Delta"\ncountry = "{country}"\npublishers = ["delta"]\n'

    assert list(check_tops.too_wide(settings(tmp_path, "families", 3, more=more))) == []
    assert list(check_tops.too_wide(settings(tmp_path, "countries", 3, more=more))) == [
        "rule new: board countries has 3 countries at most, and with top = 3 all are in: it has nothing to tell"
    ]


def test_a_top_with_somebody_below_it_is_well(tmp_path: Path) -> None:
    assert list(check_tops.too_wide(settings(tmp_path, "families", 2))) == []


def test_how_many_publishers_there_may_be_only_what_was_collected_says(tmp_path: Path) -> None:
    boards = [Board(name="publishers", entity="publisher")]
    wide, narrow = settings(tmp_path, "publishers", 10), settings(tmp_path, "publishers", 2)
    with spine.warehouse() as db, spine.hub() as hub:
        assert list(check_tops.too_wide_so_far(db, wide)) == []
        spine.look(db, hub, 0, spine.listed(30, 20, 10), boards=boards)

        assert list(check_tops.too_wide(wide)) == []
        assert list(check_tops.too_wide_so_far(db, narrow)) == []
        (said,) = check_tops.too_wide_so_far(db, wide)
    assert said == (
        "rule new: board publishers had 3 in all on 2026-05-01, and with top = 10 all are in: it has nothing to tell"
    )
