"""The page of benchmarks: one part can be measured again and the others stay as they are."""

from __future__ import annotations

from tests import bench

ORDER = ["collect_pass", "ingest", "demo"]


def test_a_part_that_is_measured_again_takes_its_own_place_and_no_other() -> None:
    page = bench.renewed("", {"demo": "## Demo\n\n30 s", "collect_pass": "## Collect\n\n1.4 x"}, ORDER)
    renewed = bench.renewed(page, {"demo": "## Demo\n\n29 s", "ingest": "## Ingest\n\n2.5 x"}, ORDER)
    assert [line for line in renewed.splitlines() if line.startswith("## ")] == ["## Collect", "## Ingest", "## Demo"]
    assert "1.4 x" in renewed
    assert "29 s" in renewed
    assert "30 s" not in renewed
    assert bench.renewed(renewed, {}, ORDER) == renewed


def test_the_page_holds_only_what_is_measured_still() -> None:
    page = bench.renewed("", {"demo": "## Demo"}, ORDER)
    assert "## Demo" not in bench.renewed(page, {}, ["ingest"])


def test_every_part_of_the_page_in_docs_is_a_benchmark() -> None:
    text = bench.PAGE.read_text("utf-8")
    assert bench.renewed(text, {}, bench.benchmarks()) == text
