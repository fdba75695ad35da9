"""Unit tests for rules, in the manner of `promtool test rules`: series in, expected alerts out, and nothing else.

    rules:                       # or `config: leadchange.toml` for the rules configured there
      - {name: who-leads, board: families, confirm: 3, margin: 0.01}
    tests:
      - name: a lead that lasts is told on the third day
        board: families
        start: 2026-01-01        # the first value's day; one value a day
        series:
          Llama: 100x5           # 100 100 100 100 100 100
          Qwen: 90 102+1x2 _ 120 # 90 102 103 104, missing, 120
        expect:
          - {at: 3, rule: who-leads, to: Qwen, from: Llama}

`_` is a missing value, `_x3` three of them; a value marked `?` makes its day partial, `!` suspect. `at` counts days
from 0; `day` may be written instead. `event` is FLIP unless it says CONTESTED or SETTLED.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from alerts import engine
from alerts.contests import exact
from alerts.rules import Rule
from warehouse.errors import LeadchangeError, nearest
from warehouse.records import Standing, Verdict
from warehouse.spelling import in_words

_MARKS: dict[str, Verdict] = {"?": "partial", "!": "suspect"}
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_TOKEN = re.compile(rf"^(?P<first>_|{_NUMBER})(?:(?P<step>[+-]{_NUMBER})?x(?P<times>\d+))?(?P<mark>[?!]?)$")
_LONGEST = 100_000


Word = Annotated[str, BeforeValidator(str)]
"""A text that YAML may have read as a number."""


class RuleTestError(LeadchangeError):
    """A file of rule tests cannot be read."""


class Expected(BaseModel):
    """One alert that must come."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    at: int | None = Field(default=None, ge=0, le=_LONGEST)
    day: date | None = None
    rule: str
    event: Literal["FLIP", "CONTESTED", "SETTLED"] = "FLIP"
    to: Word
    from_: Word = Field(default="", alias="from")

    @model_validator(mode="after")
    def _one_moment(self) -> Expected:
        if (self.at is None) == (self.day is None):
            raise ValueError("give either `at` (days from the first) or `day`")
        return self


class RuleTest(BaseModel):
    """One story: a board's series, and what must be said about them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    board: str
    start: date = Field(default=date(2026, 1, 1), le=date(9000, 1, 1))
    series: dict[Word, Word]
    expect: tuple[Expected, ...] = ()


class RuleTestFile(BaseModel):
    """A file of rule tests."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    config: str | None = None
    """A leadchange.toml, beside this file, whose rules are tested."""
    rules: tuple[Rule, ...] = ()
    tests: tuple[RuleTest, ...]


class _Loader(yaml.SafeLoader):
    """YAML in which NO is Norway: nothing in these files is yes or no."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_KEYS = frozenset(
    field.alias or name
    for part in (RuleTestFile, RuleTest, Expected, Rule)
    for name, field in part.model_fields.items()
)
"""What can stand in a file, wherever."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test: `missing` was expected and did not come, `unexpected` came and was not expected."""

    name: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether exactly what was expected came."""
        return not self.missing and not self.unexpected

    def diff(self) -> list[str]:
        """What differs, `-` for what did not come and `+` for what came unasked."""
        return [*(f"- {line}" for line in self.missing), *(f"+ {line}" for line in self.unexpected)]


def parse(text: str, name: str) -> RuleTestFile:
    """Read a file's text.

    Raises:
        RuleTestError: it is no YAML, or not of this form; says where.
    """
    try:
        tables = yaml.load(text, _Loader)  # noqa: S506 it is a safe one
        if not isinstance(tables, dict):
            raise RuleTestError(f"{name}: no rule tests: it has `rules` or `config`, and `tests`")
        file = RuleTestFile.model_validate(tables)
    except yaml.YAMLError as error:
        raise RuleTestError(f"{name}: no valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise RuleTestError("\n".join(f"{name}: {in_words(one, _KEYS)}" for one in error.errors())) from None
    return file


def run(test: RuleTest, rules: Sequence[Rule]) -> Outcome:
    """Play one story through the engine (pure).

    Raises:
        RuleTestError: a series cannot be read, or no rule watches the board, so that nothing could ever come.
    """
    watched = {rule.board for rule in rules}
    if test.board not in watched:
        raise RuleTestError(f"no rule watches a board called {test.board!r}{nearest(test.board, watched)}")
    state: engine.State = {}
    came: list[str] = []
    for standing in standings(test):
        state, events = engine.step(state, standing, rules)
        came += [
            _line(e.day, e.rule, e.kind, e.entity, e.rival) for e in events if e.kind not in ("PENDING", "DROPPED")
        ]
    numbers = {rule.name for rule in rules if rule.when == "milestone"}
    wanted = [
        _line(_day(test, e), e.rule, e.event, e.to, _number(e.from_) if e.rule in numbers else e.from_)
        for e in test.expect
    ]
    missing = tuple(line for line in wanted if not any(_matches(line, other) for other in came))
    unexpected = tuple(line for line in came if not any(_matches(other, line) for other in wanted))
    return Outcome(test.name, missing, unexpected)


def _day(test: RuleTest, expected: Expected) -> date:
    return expected.day or test.start + timedelta(days=expected.at or 0)


def _number(written: str) -> str:
    """A milestone's number as the engine calls it, however it is written: 1000000, 1e6."""
    try:
        return exact(float(written))
    except ValueError:
        return written


def _line(day: date, rule: str, event: str, to: str, from_: str) -> str:
    return f"{day} {rule} {event} {to}{f' from {from_}' if from_ else ''}"


def _matches(wanted: str, came: str) -> bool:
    """An expectation that does not say from whom fits whomever it was."""
    return wanted == came or came.startswith(f"{wanted} from ")


def standings(test: RuleTest) -> Iterator[Standing]:
    """The board of a test, day by day."""
    series = {entity: list(_expand(text, entity)) for entity, text in test.series.items()}
    days = max(map(len, series.values()), default=0)
    if days > _LONGEST:
        raise RuleTestError(f"{days:,} days are too many; at most {_LONGEST:,}")
    for index in range(days):
        values: dict[str, float] = {}
        verdict: Verdict = "complete"
        for entity, cells in series.items():
            value, mark = cells[index] if index < len(cells) else (None, "")
            if value is not None:
                values[entity] = value
            verdict = _MARKS.get(mark, verdict)
        yield Standing(test.board, test.start + timedelta(days=index), index, values, verdict)


def _expand(text: str, entity: str) -> Iterator[tuple[float | None, str]]:
    """A series in promtool's notation -> (value, mark) for every day."""
    for token in text.split():
        match = _TOKEN.match(token)
        if match is None or int(match["times"] or 0) > _LONGEST:
            raise RuleTestError(f"series {entity}: cannot read {token!r}; write 100, 100+10x3, 100x3, _, 100? or 100!")
        yield from _values(match)


def _values(match: re.Match[str]) -> Iterator[tuple[float | None, str]]:
    times, mark = int(match["times"] or 0), match["mark"]
    if match["first"] == "_":
        yield from [(None, mark)] * max(times, 1)
        return
    for index in range(times + 1):
        yield float(match["first"]) + index * float(match["step"] or 0), mark
