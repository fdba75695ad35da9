"""What a Hub lists, row by row: JSON in, `HubModel` or `Rejected` out. Pure; nothing here trusts anything.

Counters decide who leads, so a row with a counter that cannot be true is set aside. Everything else on a row is
description: what cannot be understood there becomes None, and the row stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeGuard

from warehouse.records import HubModel, Listing, Parent, Rejected

EXPAND = (
    "author",
    "createdAt",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "gated",
    "gguf",
    "library_name",
    "likes",
    "pipeline_tag",
    "safetensors",
    "tags",
)
"""The fields to ask for: those that are stored, and no others. Licence and parents stand in the tags."""

MOST_COUNT = 10**12
"""A thousand times what the most downloaded publisher has in all its years."""

LONGEST_NAME = 200
"""Characters."""

_LARGEST_SIZE = 10**18
_RELATIONS = frozenset({"quantized", "finetune", "adapter", "merge"})
_GATED = {False: "no", "auto": "auto", "manual": "manual"}


def read_row(row: object) -> HubModel | Rejected:
    """One item of a listing as a model, or why it cannot be one."""
    if not isinstance(row, dict):
        return Rejected(None, f"not an object but {type(row).__name__}")
    hub_id, repo_id = row.get("_id"), row.get("id")
    if not _is_name(repo_id):
        return Rejected(None, f"no usable id: {_shown(repo_id)}", _text(hub_id))
    if not _text(hub_id):
        return Rejected(repo_id, f"no usable _id: {_shown(hub_id)}")
    publisher, _, name = repo_id.partition("/")
    if not publisher or not name or "/" in name:
        return Rejected(repo_id, "its id is not of the form publisher/name", hub_id)
    for counter in ("downloads", "downloadsAllTime", "likes"):
        if (count := row.get(counter)) is not None and not _is_count(count):
            return Rejected(repo_id, f"{counter} is {_shown(count)}", hub_id)
    return _model(row, publisher)


def _model(row: dict[str, Any], publisher: str) -> HubModel:
    said = row.get
    disabled = said("disabled")
    license_, parents = _from_tags(said("tags"))
    # In the order of its fields: to name them takes a tenth of the time of a row. What was not said, as most was not,
    # is not looked at any closer.
    return HubModel(
        row["_id"],
        row["id"],
        publisher,
        said("downloads"),
        said("downloadsAllTime"),
        said("likes"),
        _moment(said("createdAt")),
        _size(said("safetensors")) or _size(said("gguf")),
        _text(tag) if (tag := said("pipeline_tag")) else None,
        _text(library) if (library := said("library_name")) else None,
        license_,
        None if (gated := said("gated")) is None else _gated(gated),
        disabled if isinstance(disabled, bool) else None,
        parents,
    )


class Reading:
    """What one publisher has listed so far, page by page, and in the end its `Listing`."""

    def __init__(self, publisher: str) -> None:
        self.publisher = publisher
        self.name = publisher
        """By which name it is asked for: the one that it has now."""
        self.called = publisher
        """What the Hub calls whom it counts under that name."""
        self.num_models: int | None = None
        self.problem: str | None = None
        self.gave_up = False
        """Whether the problem is that its listing was asked for again and again in vain."""
        self.finished = False
        self.restart()

    def restart(self, name: str | None = None) -> None:
        """Forget what was listed, for a second look; under another `name`, where it has one by now."""
        if name is not None:
            self.name, self.problem = name, None
        self._unread: list[object] = []
        self._models: dict[str, HubModel] = {}
        self._rejected: dict[str | int, Rejected] = {}

    def take(self, page: list[object]) -> None:
        """Put a page with the others, unread: the next one can be on its way first."""
        self._unread += page

    def read(self, most: int | None = None) -> bool:
        """Read so many more of the rows taken, or all; False when none was left.

        A model listed twice counts once; with other values the second time, that is a problem.
        """
        rows, self._unread = self._unread[:most], self._unread[most:] if most else []
        for row in rows:
            match read_row(row):
                case HubModel() as model:
                    if self._models.setdefault(model.hub_id, model) != model:
                        self.problem = self.problem or f"{model.repo_id!r} is listed twice with different values"
                case rejected:
                    # One without any name cannot be told from another: each counts.
                    self._rejected[rejected.hub_id or rejected.repo_id or len(self._rejected)] = rejected
        return bool(rows)

    @property
    def listed(self) -> int:
        """How many different models the rows read are about, understood or not."""
        return len(self._models.keys() | self._rejected.keys())

    @property
    def lists_nothing(self) -> bool:
        """Whether its listing ended cleanly and is empty, whatever the Hub's own count says."""
        return not self.listed and self.problem in (None, f"listed 0 of {self.num_models}")

    @property
    def has_another_name(self) -> bool:
        """Whether it lists nothing since the Hub calls it otherwise by now: its count is of what that name lists."""
        return self.lists_nothing and self.called.lower() != self.name.lower()

    def falls_short(self, tolerance: float) -> bool:
        """Whether a listing that ended cleanly differs from the Hub's own count by more than this share of it."""
        if self.problem or self.num_models is None or self.has_another_name:
            return False
        return abs(self.listed - self.num_models) > tolerance * self.num_models

    def listing(self) -> Listing:
        """All of it, in the order listed."""
        self.read()
        models, rejected = tuple(self._models.values()), tuple(self._rejected.values())
        return Listing(self.publisher, models, self.num_models, rejected, self.problem, self._other_name(models))

    def _other_name(self, models: Iterable[HubModel]) -> str:
        """Under which other name it was read; the Hub may list by a former name what is under the present one."""
        listed = {model.publisher for model in models}
        name = listed.pop() if len(listed) == 1 else self.name
        return "" if name.lower() == self.publisher.lower() else name


def _from_tags(tags: object) -> tuple[str | None, tuple[Parent, ...]]:
    """Licence and parents. `base_model:X` stands beside `base_model:finetune:X`: only the one that says how is kept."""
    license_: str | None = None
    parents: dict[str, str | None] = {}
    if not isinstance(tags, list):
        return None, ()
    # Most tags say neither, and there are twenty on a model: they are sifted first, which halves the time of a row.
    for tag in [tag for tag in tags if type(tag) is str and tag.startswith(("license:", "base_model:"))]:
        kind, _, rest = tag.partition(":")
        if kind == "license":
            license_ = license_ or _text(rest)
            continue
        relation, _, repo_id = rest.rpartition(":")
        if _is_name(repo_id) and (not relation or relation in _RELATIONS):
            parents[repo_id] = relation or parents.get(repo_id)
    return license_, tuple([Parent(relation, repo_id) for repo_id, relation in parents.items()]) if parents else ()


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST_COUNT  # `type`, for True is an int too


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and _text(value) is not None


def _text(value: object) -> str | None:
    """A text that can be stored: not empty, and without halves of surrogate pairs, which JSON can spell."""
    if not isinstance(value, str) or not value or len(value) > 4 * LONGEST_NAME:
        return None
    return value if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value) else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _size(value: object) -> int | None:
    total = value.get("total") if isinstance(value, dict) else None
    return total if type(total) is int and 0 < total <= _LARGEST_SIZE else None  # the Hub writes 0 for "cannot tell"


def _gated(value: object) -> str | None:
    return _GATED.get(value) if isinstance(value, bool | str) else None


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
