"""Tables of models in Parquet, whatever their columns are called: the columns needed and no others, vectorised.

footer --> Layout: which columns are here, which row groups matter --> byte ranges
row groups --> rows of `store.MODEL_SCHEMA`, hub_id null where the table has none; unbelievable rows set aside
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.history.columns import COUNTERS, as_day, believed, normalised
from jobs.history.ranges import DamagedError, Range
from warehouse.errors import shown
from warehouse.snapshots.store import MODEL_SCHEMA

Layout = Mapping[str, Sequence[str]]
"""What is wanted -> the names its column goes by, the first that is there is taken. A dot leads into a struct."""

FOOTER_BYTES = 8
"""The end of a Parquet file: how long the footer before it is, and four letters."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The models of one day."""

    models: pl.DataFrame
    """Of MODEL_SCHEMA."""
    rejected: int = 0
    """Rows set aside, because they could not be believed or repeated another."""
    problem: str | None = None
    """Why these are not all there are; None when they are."""


class MissingColumnError(DamagedError):
    """It has no column of what is needed."""

    def __init__(self, message: str, wanted: str) -> None:
        super().__init__(message)
        self.wanted = wanted
        """repo_id, day or counts."""


def unreadable(problems: Sequence[str | None]) -> str | None:
    """Why row groups are not all there are, from the problem of each; None when they are."""
    broken = [problem for problem in problems if problem]
    return f"{len(broken)} of {len(problems)} row groups cannot be read, first {broken[0]}" if broken else None


def footer_range(size: int, end: bytes) -> Range:
    """Where the footer of a Parquet file is, from its last `FOOTER_BYTES`. Raises DamagedError if it is none."""
    if len(end) != FOOTER_BYTES or end[4:] != b"PAR1":
        raise DamagedError("it is no Parquet file")
    length = int.from_bytes(end[:4], "little")
    if length > size - FOOTER_BYTES:
        raise DamagedError("it is a Parquet file cut short")
    return Range(size - FOOTER_BYTES - length, size)


class Table:
    """A Parquet file that says something about models, read through a layout.

    Args:
        file: at least the footer is there; `ranges` says what else must be before rows are read.
        layout: `repo_id` and one counter at least must be found; `day` too when one file holds many days.

    Raises:
        DamagedError: it is no Parquet file, or its columns are others.
    """

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        try:
            self._parquet = pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise DamagedError(f"it is no readable Parquet file: {_first_line(error)}") from None
        self._metadata = self._parquet.metadata
        self._leaves = [self._metadata.schema.column(number).path for number in range(len(self._metadata.schema))]
        self.columns = _found(layout, self._leaves)
        """What is wanted -> the name of its column; what is not here is not in it."""
        if "tags" in self.columns:
            self.columns.pop("base_models", None)  # the tags say the same, and in older revisions too
        self._publisher = self.columns.pop("publisher", None)
        """Names begin with the publisher: of its column only what the footer says of a row group is used."""
        self._check(layout)

    def _check(self, layout: Layout) -> None:
        require(layout, list(dict.fromkeys(leaf.partition(".")[0] for leaf in self._leaves)), self.columns)
        schema = self._parquet.schema_arrow
        for name, column in self.columns.items():
            root = column.partition(".")[0]
            if len(schema.get_all_field_indices(root)) > 1:
                raise DamagedError(f"it has the column {root} more than once")
            kind = schema.field(root).type
            if name in COUNTERS and not _is_number(kind):
                raise DamagedError(f"its column {column} holds no counts but {kind}")
            if name == "repo_id" and not _is_text(kind):
                raise DamagedError(f"its column {column} holds no names but {kind}")
            if name == "day" and not (_is_text(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
                raise DamagedError(f"its column {column} holds no days but {kind}")

    def has(self, names: Sequence[str]) -> bool:
        """Whether a column goes by one of these names."""
        return bool(_found({"": names}, self._leaves))

    @property
    def height(self) -> int:
        """Rows in all."""
        return int(self._metadata.num_rows)

    def row_groups(self, publishers: Collection[str] | None = None, days: Collection[date] | None = None) -> list[int]:
        """Row groups that may hold these publishers and days (None: all), as far as their statistics tell."""
        every = range(self._metadata.num_row_groups)
        return [group for group in every if self._has_day(group, days) and self._has_publisher(group, publishers)]

    def ranges(self, groups: Sequence[int], names: Collection[str] | None = None) -> list[Range]:
        """Where the columns wanted (or some of them, by our names) are in these row groups; all of it is compressed."""
        wanted = set(self._chosen(names))
        found = []
        for group in groups:
            for number, leaf in enumerate(self._leaves):
                if leaf in wanted:
                    chunk = self._metadata.row_group(group).column(number)
                    start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
                    found.append(Range(start, start + chunk.total_compressed_size))
        return found

    @cached_property
    def days(self) -> list[date]:
        """The days in it, in order; the column of days must be there. Raises DamagedError."""
        frames = [self._read(group, ("day",)) for group in self.row_groups()]
        days = (
            pl.concat([as_day(frame["day"]) for frame in frames]).unique() if frames else pl.Series([], dtype=pl.Date)
        )
        if days.null_count():
            raise DamagedError(f"its column {self.columns['day']} holds what is no day")
        return days.sort().to_list()

    def batches(self, *, publishers: Collection[str] | None = None, day: date | None = None) -> Iterator[Rows]:
        """The models of a day (None: of all of it), of some publishers or all, a row group at a time.

        The `problem` of a row group is that it cannot be read.
        """
        groups = self.row_groups(publishers, None if day is None else [day])
        for group in groups:
            try:
                yield Rows(*believed(self._normalised(group, publishers, day)))
            except DamagedError as error:
                nothing = pl.DataFrame(schema=MODEL_SCHEMA)
                yield Rows(nothing, 0, f"number {group}: {error}")

    def rows(self, *, publishers: Collection[str] | None = None, day: date | None = None) -> Rows:
        """The same at once; what cannot be read is a `problem`."""
        read = list(self.batches(publishers=publishers, day=day))
        models = pl.concat([each.models for each in read] or [pl.DataFrame(schema=MODEL_SCHEMA)])
        once = _once(models)
        rejected = sum(each.rejected for each in read) + models.height - once.height
        return Rows(once, rejected, unreadable([each.problem for each in read]))

    def _normalised(self, group: int, publishers: Collection[str] | None, day: date | None) -> pl.DataFrame:
        read = self._read(group)
        try:
            return normalised(_selected(read, publishers, day))
        except pl.exceptions.PolarsError as error:
            raise DamagedError(_first_line(error)) from None

    def _read(self, group: int, names: Collection[str] | None = None) -> pl.DataFrame:
        """One row group, its columns by our names."""
        columns = [column for name, column in self.columns.items() if names is None or name in names]
        try:
            frame = pl.from_arrow(self._parquet.read_row_group(group, columns=columns))
        except (pa.ArrowException, OSError) as error:
            raise DamagedError(_first_line(error)) from None
        assert isinstance(frame, pl.DataFrame)  # noqa: S101  (a table becomes a frame)
        return frame.select(
            _inside(column).alias(name) for name, column in self.columns.items() if names is None or name in names
        )

    def _chosen(self, names: Collection[str] | None) -> Iterator[str]:
        for name, column in self.columns.items():
            if names is None or name in names:
                yield from (leaf for leaf in self._leaves if leaf == column or leaf.startswith(f"{column}."))

    def _has_day(self, group: int, days: Collection[date] | None) -> bool:
        bounds = self._bounds(group, self.columns.get("day"))
        return days is None or bounds is None or _within(bounds, [(day, day) for day in days])

    def _has_publisher(self, group: int, publishers: Collection[str] | None) -> bool:
        if publishers is None:
            return True
        names = {spelt for name in publishers for spelt in (name, name.lower(), name.upper(), name.capitalize())}
        if authors := self._bounds(group, self._publisher):
            return _within(authors, [(name, name) for name in names])
        ids = self._bounds(group, self.columns["repo_id"])
        return ids is None or _within(ids, [(f"{name}/", f"{name}0") for name in names])  # 0 follows the slash

    def _bounds(self, group: int, column: str | None) -> tuple[Any, Any] | None:
        """Least and greatest value of a column in a row group; None where the file does not say."""
        if column not in self._leaves:
            return None
        found = self._metadata.row_group(group).column(self._leaves.index(column)).statistics
        if found is None or not found.has_min_max:
            return None
        low, high = found.min, found.max
        if column == self.columns.get("day"):
            return _days_between(low, high)
        return None if low is None or high is None else (low, high)


def _days_between(low: object, high: object) -> tuple[date, date] | None:
    """The UTC days of a row group, from its least and greatest value; None where these are none.

    Text is in order by what is written, and offsets move it by up to a day.
    """
    first, last = as_day(pl.Series([low]))[0], as_day(pl.Series([high]))[0]
    if first is None or last is None:
        return None
    around = timedelta(days=1 if isinstance(low, str) else 0)
    return first - around, last + around


def _once(models: pl.DataFrame) -> pl.DataFrame:
    """Each model the first time it is there."""
    if models["repo_id"].n_unique() == models.height:
        return models
    return models.unique(["repo_id"], keep="first", maintain_order=True)


def require(layout: Layout, has: Sequence[str], found: Collection[str]) -> None:
    """Raise DamagedError if names, days or counts are wanted and were not found among the columns there are."""
    there = ", ".join(map(shown, has[:12]))
    for needed in ("repo_id", "day"):
        if needed in layout and needed not in found:
            raise MissingColumnError(f"it has no column {' or '.join(layout[needed])}; it has {there}", needed)
    if set(layout) & set(COUNTERS) and not set(found) & set(COUNTERS):
        raise MissingColumnError(f"it has no column of counts; it has {there}", "counts")


def _found(layout: Layout, leaves: Sequence[str]) -> dict[str, str]:
    def here(name: str) -> bool:
        return any(leaf == name or leaf.startswith(f"{name}.") for leaf in leaves)

    firsts = {wanted: next(filter(here, names), None) for wanted, names in layout.items()}
    return {wanted: name for wanted, name in firsts.items() if name is not None}


def _within(bounds: tuple[Any, Any], spans: Sequence[tuple[Any, Any]]) -> bool:
    return any(low <= bounds[1] and high >= bounds[0] for low, high in spans)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values))


def _inside(column: str) -> pl.Expr:
    """A column, or what a dotted path finds in it."""
    root, *path = column.split(".")
    expression = pl.col(root)
    for step in path:
        expression = expression.struct.field(step)
    return expression


def _selected(read: pl.DataFrame, publishers: Collection[str] | None, day: date | None) -> pl.DataFrame:
    if "day" in read.columns and day is not None:
        read = read.filter(as_day(read["day"]) == day)
    if publishers is None:
        return read
    names = [name.lower() for name in publishers]
    return read.filter(pl.col("repo_id").cast(pl.String).str.to_lowercase().str.split("/").list.first().is_in(names))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
