"""Countries are called by their names where people read them, and by their codes where programs do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alert_samples import alert
from spine import REGISTRY, day, head, model, moment, warehouse

from alerts.message import compose, summary
from alerts.names import COUNTRIES, entity_name, spoken
from alerts.rules import Rule
from jobs import detect, digest
from warehouse.ranking.boards import Board
from warehouse.registry import bundled
from warehouse.snapshots import store
from warehouse.state.ledger import Ledger

BOARD = Board(name="countries", entity="country")
RULE = Rule(name="nations", board="countries", when="overtake", between=("CN", "US"), confirm=1, channels=("desk",))


@pytest.mark.parametrize(
    ("kind", "name", "table", "sentence"),
    [
        ("country", "CN", "China", "China"),
        ("country", "US", "United States", "the United States"),
        ("country", "XX", "XX", "XX"),
        ("family", "US", "US", "US"),
        ("", "CN", "CN", "CN"),
    ],
)
def test_a_country_has_a_name_and_everything_else_its_own(kind: str, name: str, table: str, sentence: str) -> None:
    assert (entity_name(kind, name), spoken(kind, name)) == (table, sentence)


def test_every_country_of_the_registry_has_a_name() -> None:
    assert {family.country for family in bundled() if family.country} <= COUNTRIES.keys()


def test_a_message_names_countries_and_its_data_has_their_codes() -> None:
    about = alert(kind="overtake", entity="US", rival="CN", board="countries", entity_kind="country", title="")
    message = compose(about, now=datetime(2026, 5, 1, tzinfo=UTC))
    assert message.title == "The United States passes China on countries"
    assert "The United States is now ahead of China" in message.text
    assert (message.data["entity"], message.data["rival"]) == ("US", "CN")
    assert "The United States passes China" in summary([about]).text


def test_from_the_models_to_the_alert_and_the_digest() -> None:
    with warehouse() as db:
        for number, beta in enumerate((50, 150)):
            models = store.model_frame([model("alpha-lab/a", 90), model("beta-ai/b", beta)])
            with db.transaction():
                store.write_snapshot(db, head(number + 1, number, models=2), models)
            detect.run(db, [BOARD], [RULE], REGISTRY, now=moment(number, 11))
        row = db.rows("SELECT alert_id, entity, rival, title FROM alerts")[0]
        assert row[1:] == ("CN", "US", "China passes the United States on countries")
        assert Ledger(db).alert(row[0]).entity_kind == "country"
        wanted = digest.Digest(name="weekly")
        text = digest.compose(db, digest.as_alert(wanted, moment(1, 12)), (), now=moment(1, 12)).text
        assert "China leads countries." in text
        assert "United States" in text
        assert str(day(1)) in text
