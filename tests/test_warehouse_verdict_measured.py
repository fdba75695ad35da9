"""Precision and recall of the verdict on a generated Hub, with fewer faults than docs/data-quality.md publishes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from examples import THOROUGH
from measure_verdicts import EVERYTHING, Tally, measure

from monitor.demo.counter_faults import Kind
from monitor.demo.generator import Population

EVERY: tuple[Kind, ...] = ("freeze", "rollback", "missing", "half_dip", "repeat")


def check(tally: Tally, kinds: Sequence[Kind]) -> None:
    assert tally.false == []
    for kind in kinds:
        assert tally.recall(kind) >= 0.99, tally.missed
        assert tally.precision(kind) >= 0.99, tally.named


def test_a_clean_stretch_with_launches_has_no_false_verdict_and_its_faults_are_found() -> None:
    days = 365 if THOROUGH else 120
    tally = measure(Population(seed=21, models=1_200, days=days), EVERY, 15)
    assert tally.clean >= days
    check(tally, EVERY)


@pytest.mark.parametrize(
    ("counter", "kinds"),
    [
        ("downloads_30d", ("freeze", "missing", "half_dip", "repeat")),
        ("downloads_all_time", ("freeze", "rollback", "missing", "repeat")),
    ],
)
def test_either_counter_alone_is_enough(counter: str, kinds: Sequence[Kind]) -> None:
    assert counter in EVERYTHING
    check(measure(Population(seed=22, models=2_500, days=45), kinds, 8, (counter,)), kinds)
