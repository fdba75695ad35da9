"""What is taken out of a text before it is printed, whatever was read in which order."""

from __future__ import annotations

import pytest

from alerts import masking

PATH = "T00000000/B00000000/abcdefghijklmnop"


@pytest.fixture(autouse=True)
def _nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", set[str]())


@pytest.mark.parametrize(
    "read", ["https://hooks.slack.com", "abcdefghijklmnop", f"https://hooks.slack.com/services/{PATH}"]
)
def test_a_secret_that_is_part_of_another_leaves_nothing_of_it(read: str) -> None:
    masking.remember(read)
    said = masking.masked(f"POST https://hooks.slack.com/services/{PATH} failed")
    assert said.replace("https://", "") == "POST [secret] failed"


def test_what_was_read_is_masked_wherever_it_stands_and_the_rest_is_left() -> None:
    masking.remember("correct-horse")
    assert masking.masked("a correct-horse, twice: correct-horse") == "a [secret], twice: [secret]"
    assert masking.masked("nothing to hide") == "nothing to hide"


def test_a_token_is_masked_though_nobody_read_it() -> None:
    assert masking.masked("hf_abcdefghij and xoxb-1-2-abc") == "[secret] and [secret]"
