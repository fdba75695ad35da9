"""Families: what is sold under one name, who publishes it, and from which country.

A repository belongs to a family when one of the family's publishers published it *and* its name matches the family's
globs. The name alone never decides: anybody may call a repository `tiny-Qwen2ForCausalLM`. Publishers and globs are
compared without regard to case, as the Hub does with namespaces.

Pure: the bundled families are read from `families.toml` beside this file, and nothing else is read or written.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import combinations
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from warehouse.errors import NotKnownError
from warehouse.spelling import spelled

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    spelled(r"[^\x00-\x1f\x7f]*", "be one line of plain text"),
]
Namespace = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    spelled(r"[^/\s]+", "be what stands before the / in names on the Hub, such as Qwen"),
]
Country = Annotated[str, spelled("[A-Z]{2}", "be two capital letters of ISO 3166, such as CN")]

GENERIC = frozenset({"ai", "group", "initiative", "institute", "lab", "labs", "laboratory", "research", "technologies"})
"""Words of a vendor's name that say nothing about who it is."""


class Family(BaseModel):
    """Models sold under one name. Raises pydantic's ValidationError, all faults at once, for what cannot be one."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Text
    vendor: str = ""
    country: Country
    """ISO 3166-1 alpha-2, upper case: where the publisher has its seat."""
    publishers: Annotated[tuple[Namespace, ...], Field(min_length=1)]
    """Hub namespaces, former ones too."""
    include: Annotated[tuple[Text, ...], Field(min_length=1)] = ("*",)
    """Globs on the repository's name without its publisher; one must match. Case does not matter."""
    exclude: tuple[Text, ...] = ()
    """Globs of which none may match."""
    formerly: tuple[Text, ...] = ()
    """Names that the family had in earlier registries: rules and alerts that know them follow."""


class Proposal(NamedTuple):
    """A publisher that may belong to a known family; for a person to decide, never counted."""

    publisher: str
    family: str
    reason: str


class _Rule(NamedTuple):
    """One family's globs, compiled. None: everything (include) or nothing (exclude)."""

    family: str
    include: re.Pattern[str] | None
    exclude: re.Pattern[str] | None

    def fits(self, name: str) -> bool:
        """Whether a lower-case repository name is this family's."""
        if not name or (self.include is not None and self.include.match(name) is None):
            return False
        return self.exclude is None or self.exclude.match(name) is None


class Registry:
    """The families known, and the answer to whose a repository is. Immutable once built.

    `only` names the families to poll (empty: all); it narrows `publishers`, never `family_of`. Where two families claim
    the same repository, the one listed first has it; `problems` says so where it can be seen without looking at a Hub.
    """

    def __init__(self, families: Iterable[Family], only: Sequence[str] = ()) -> None:
        self.families: tuple[Family, ...] = tuple(families)
        self.names: tuple[str, ...] = tuple(family.name for family in self.families)
        for wanted in only:
            if wanted not in self.names:
                raise NotKnownError("family", wanted, self.names)
        self.polled: tuple[Family, ...] = tuple(f for f in self.families if not only or f.name in only)
        self.publishers: tuple[str, ...] = _unique(p for f in self.polled for p in f.publishers)
        self._rules: dict[str, list[_Rule]] = {}
        for family in self.families:
            rule = _Rule(family.name, _compiled(family.include), _compiled(family.exclude))
            for publisher in _unique(family.publishers):
                self._rules.setdefault(publisher.lower(), []).append(rule)

    def family_of(self, repo_id: str) -> str | None:
        """The family whose own publisher published `publisher/name`, or None. Descent is not looked at."""
        publisher, _, name = repo_id.lower().partition("/")
        for rule in self._rules.get(publisher, ()):
            if rule.fits(name):
                return rule.family
        return None

    def matches(self, repo_id: str) -> tuple[str, ...]:
        """Every family that claims a repository; more than one is a fault of the registry."""
        publisher, _, name = repo_id.lower().partition("/")
        return tuple(rule.family for rule in self._rules.get(publisher, ()) if rule.fits(name))

    def knows(self, publisher: str) -> bool:
        """Whether some family names this publisher."""
        return publisher.lower() in self._rules

    def rows(self) -> list[dict[str, str | list[str] | None]]:
        """The relation `families`, in registry order; a vendor is None where nobody states it."""
        return [
            {
                "family": f.name,
                "vendor": f.vendor or None,
                "country": f.country,
                "publishers": list(f.publishers),
                "formerly": list(f.formerly),
            }
            for f in self.families
        ]

    def fingerprint(self) -> str:
        """16 hex digits that change whenever an assignment could change; equal on every machine and run."""
        text = json.dumps([f.model_dump(mode="json", exclude={"formerly"}) for f in self.families], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def problems(self) -> list[str]:
        """What is wrong between families, one line each; empty when nothing. Sees globs, not repositories."""
        found = [
            f"family {name!r} is listed {times} times (case does not count)"
            for name, times in Counter(f.name.lower() for f in self.families).items()
            if times > 1
        ]
        for one, other in combinations(self.families, 2):
            if shared := _lowered(one.publishers) & _lowered(other.publishers):
                found += _disputes(one, other, ", ".join(sorted(shared)))
        return found


@cache
def bundled() -> tuple[Family, ...]:
    """The families that come with leadchange, in the order of `families.toml`."""
    text = resources.files("warehouse").joinpath("families.toml").read_text(encoding="utf-8")
    return tuple(Family.model_validate(table) for table in tomllib.loads(text)["family"])


def merge(shipped: Iterable[Family], own: Iterable[Family]) -> tuple[Family, ...]:
    """A user's own families, then the shipped ones that no own family of the same name overrides.

    Own ones come first because the first claim wins: a narrow family of one's own (`gemma-3*`) takes its repositories
    from a broad shipped one. Duplicates among the own ones stay, for `Registry.problems` to name.
    """
    mine = tuple(own)
    overridden = {family.name for family in mine}
    return (*mine, *(family for family in shipped if family.name not in overridden))


def propose_publishers(registry: Registry, seen: Iterable[str]) -> list[Proposal]:
    """Unregistered publishers among `seen` that look like a known vendor's new home, such as `meta-models`.

    A name is proposed when it begins as a registered publisher or its vendor does: `meta-models` beside `meta-llama`,
    `TencentARC` beside `tencent`. In the order of `seen`, each at most once.
    """
    signs = _signs(registry.families)
    unknown = (publisher for publisher in _unique(seen) if not registry.knows(publisher))
    return [proposal for publisher in unknown if (proposal := _likeness(publisher, signs))]


def propose_renamed(registry: Registry, moves: Iterable[tuple[str, str]]) -> list[Proposal]:
    """New publishers to register, from `(repo_id before, repo_id now)` of models that kept their `_id`.

    A move out of a family into a publisher that the registry does not know says that the publisher was renamed.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    for before, now in moves:
        old, new = before.partition("/")[0], now.partition("/")[0]
        if (family := registry.family_of(before)) and not registry.knows(new):
            counted[new, family, old] += 1
    return [Proposal(new, family, f"{n} of its models were {old}'s") for (new, family, old), n in counted.most_common()]


def _compiled(globs: tuple[str, ...]) -> re.Pattern[str] | None:
    if not globs or "*" in globs:
        return None
    return re.compile("|".join(fnmatch.translate(glob.lower()) for glob in globs))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names without repetitions (case does not count), in order of first appearance."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.lower(), name)
    return tuple(first.values())


def _lowered(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _disputes(one: Family, other: Family, publisher: str) -> list[str]:
    """What two families of the same publisher cannot both have; where both fit, `one` has it."""
    found = []
    if one.country != other.country:
        found.append(f"{publisher} is {one.country} for {one.name} and {other.country} for {other.name}")
    both = sorted(_lowered(one.include) & _lowered(other.include))
    if both:
        found.append(f"{one.name} and {other.name} both claim {', '.join(map(repr, both))} of {publisher}")
    elif "*" in one.include and not one.exclude:
        found.append(f"{one.name} claims all of {publisher}, and leaves {other.name} nothing of it")
    return found


def _signs(families: Iterable[Family]) -> dict[str, tuple[str, str]]:
    """What a vendor's namespaces begin with -> (family, whose beginning that is); first family first."""
    signs: dict[str, tuple[str, str]] = {}
    for family in families:
        vendor = " ".join(word for word in family.vendor.split() if word.lower() not in GENERIC)
        for known in (*family.publishers, vendor):
            for sign in (_squeezed(re.split(r"[-_.]", known)[0]), _squeezed(known)):
                if len(sign) > 3:
                    signs.setdefault(sign, (family.name, known))
    return signs


def _likeness(publisher: str, signs: Mapping[str, tuple[str, str]]) -> Proposal | None:
    """Whose sign a publisher's name begins with; short signs must be its whole first word. The longest sign wins."""
    first, whole = _squeezed(re.split(r"[-_.]", publisher)[0]), _squeezed(publisher)
    for end in range(len(whole), 3, -1):
        sign = whole[:end]
        if sign in signs and (len(sign) > 5 or sign in {first, whole}):
            family, known = signs[sign]
            return Proposal(publisher, family, f"begins like {known}")
    return None


def _squeezed(name: str) -> str:
    return re.sub(r"[-_.\s]", "", name).lower()
