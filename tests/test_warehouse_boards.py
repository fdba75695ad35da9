from __future__ import annotations

from itertools import product

import pytest
from pydantic import ValidationError

from warehouse.curated import DAY, REVISION
from warehouse.ranking.boards import DERIVATIVES, MEASURES, SPANS, Board

ENTITIES = ("family", "publisher", "country", "model")
SCOPES = ("own", "lineage", "curated")
FITTING = [
    Board(name="b", entity=entity, measure=measure, scope=scope)  # type: ignore[arg-type]
    for entity, scope, measure in product(ENTITIES, SCOPES, (*MEASURES, "series:atom"))
    if scope != "lineage" or entity in ("family", "country")
]


@pytest.mark.parametrize("board", FITTING, ids=lambda board: f"{board.entity}-{board.scope}-{board.measure}")
def test_every_definition_is_one_english_sentence_that_fits_into_an_alert(board: Board) -> None:
    sentence = board.definition

    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert "share is of all" in sentence
    assert len(sentence) <= 400


def test_no_two_definitions_read_alike() -> None:
    of_models = [board for board in FITTING if board.series is None]

    assert len({board.definition for board in of_models}) == len(of_models)


def test_a_curated_definition_names_the_revision_of_its_list() -> None:
    assert f"(revision {REVISION} of {DAY})" in Board(name="b", entity="family", scope="curated").definition


def test_a_lineage_definition_says_what_its_sum_leaves_out() -> None:
    assert "without what no known family accounts for" in Board(name="b", entity="family", scope="lineage").definition


def test_a_span_is_named_to_the_day() -> None:
    for measure, span in SPANS.items():
        assert f"downloads of {span} days" in Board(name="b", entity="family", measure=measure).definition


def test_a_condition_stands_in_the_definition() -> None:
    assert "among models where license = 'mit'" in Board(name="b", entity="family", where="license = 'mit'").definition


def test_lineage_divides_among_families_and_ranks_nothing_else() -> None:
    for entity in ("publisher", "model"):
        with pytest.raises(ValidationError, match="entity must be family or country"):
            Board(name="b", entity=entity, scope="lineage")  # type: ignore[arg-type]


def test_an_unknown_measure_is_told_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="downloads_7d, downloads_28d"):
        Board(name="b", entity="family", measure="downloads")
    with pytest.raises(ValidationError, match="no measure"):
        Board(name="b", entity="family", measure="series:")


def test_another_definition_another_registry_or_another_wording_has_another_fingerprint() -> None:
    boards = [Board(name="b", entity="family"), Board(name="b", entity="family", measure="likes")]
    prints = {board.fingerprint(registry) for board in boards for registry in ("one", "two")}

    assert len(prints) == 4


def test_every_measure_is_a_counter_a_span_of_one_or_a_count_of_models() -> None:
    assert MEASURES.keys() - SPANS.keys() - DERIVATIVES == {"downloads_30d", "downloads_all_time", "likes"}
