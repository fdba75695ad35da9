"""The one door to DuckDB: open, ask, write in a transaction. Every error of DuckDB's becomes ours here.

A connection belongs to one thread; `Database.cursor()` makes another for another thread. Of all connections to a file
one at a time writes: DuckDB would let both begin and fail the second at its end.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb

from warehouse.errors import QueryRefusedError, WarehouseBusyError, WarehouseDeadError, WarehouseError
from warehouse.queries import literal

if TYPE_CHECKING:  # imported where they are used: together they take longer than most commands
    import polars as pl
    import pyarrow as pa

STORAGE_VERSION = "v1.5.0"
"""The oldest DuckDB that opens what we write. DuckDB 2.0 would otherwise write files that no 1.x can read."""

MEMORY = 1_000_000_000
"""Bytes that the warehouse's own DuckDB holds at most; what needs more goes to a file beside it for a while. It would
otherwise take four fifths of the machine, and a day of the whole Hub is no quicker for it: the system keeps its file in
memory anyway."""

RESERVE = 64 * 2**20
"""Bytes that must be free before anything is written, beside three times the write-ahead log."""

READING_STATEMENTS = frozenset({"SELECT", "EXPLAIN"})
"""DESCRIBE, SHOW, SUMMARIZE and FROM are SELECT to DuckDB's parser."""

_PARSED: dict[str, duckdb.Statement | str] = {}
"""Of all connections: a parsed statement knows of none."""

_MOST_PARSED = 500
"""Statements kept parsed, more than any process of ours has by name."""

Parameters = Mapping[str, object] | Sequence[object]
Row = tuple[Any, ...]


class Records(list[dict[str, Any]]):
    """Rows by column name; which columns there are is known of none, too."""

    def __init__(self, columns: Sequence[str], rows: Iterable[Row]) -> None:
        super().__init__(dict(zip(columns, row, strict=True)) for row in rows)
        self.columns = tuple(columns)


class Database:
    """One open DuckDB file, in UTC."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path | None,
        attached: str | None = None,
        writing: threading.RLock | None = None,
    ) -> None:
        self.path = path
        self.writing = writing or threading.RLock()
        """Held by whoever writes."""
        self._connection = connection
        self._attached = attached
        self._memory = 0
        """Bytes that DuckDB may hold; 0: what it thinks fit."""

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open the warehouse for reading and writing, making it and its folder when there is none.

        Raises:
            WarehouseError: another process holds it, or it is no file of ours.
        """
        make_folder_of(path)
        config = {"storage_compatibility_version": STORAGE_VERSION, **_NO_EXTENSIONS, **_GIVEN_BACK}
        database = cls(_connect(path, config), path)
        database._hold_at_most(MEMORY)
        return database

    @classmethod
    def open_published(cls, path: Path, *, memory_megabytes: int | None = None) -> Database:
        """Open a published file for reading only, with the rest of the machine out of its reach.

        With `memory_megabytes` its queries have that much memory, one thread, and no disk to spill to.

        Raises:
            WarehouseError: there is no such file yet, or it is damaged.
        """
        if not path.exists():
            raise WarehouseError(f"{path} does not exist yet: run `leadchange collect` first")
        limits = {"memory_limit": f"{memory_megabytes}MB", "threads": "1", "temp_directory": ""}
        config = _NO_EXTENSIONS | (limits if memory_megabytes else {})
        database = cls(_connect(None, config), path, attached=_PUBLISHED)
        # Attached, not opened: a process that still has the old file of this name open would be given that again.
        database.execute(f"ATTACH {literal(str(path))} AS {_PUBLISHED} (READ_ONLY)")
        database.execute(f"USE {_PUBLISHED}")
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        return database

    @classmethod
    def in_memory(cls) -> Database:
        """An empty warehouse that is gone when closed."""
        return cls(_connect(None, _NO_EXTENSIONS), None)

    def _hold_at_most(self, memory: int) -> None:
        """Limit the memory, unless the machine, or what it allows us, is smaller than that."""
        if self.value("SELECT parse_formatted_bytes(current_setting('memory_limit'))") > memory:
            self.execute(f"SET memory_limit = '{memory}B'")
            self._memory = memory

    def cursor(self) -> Database:
        """Another connection to the same file, for another thread."""
        cursor = self._connection.cursor()
        if self._attached:
            cursor.execute(f"USE {self._attached}")
        return Database(cursor, self.path, self._attached, self.writing)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block, let whoever asks do all the work: what is small takes longer to share out."""
        threads = self.value("SELECT current_setting('threads')")
        self.execute("SET threads = 1")
        try:
            yield
        finally:
            with suppress(WarehouseError):  # the file is given up: what went wrong first is what is told
                self.execute(f"SET threads = {threads}")

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Within the block, while somebody else needs the memory, hold at most half of what is allowed."""
        if not self._memory:
            yield
            return
        with suppress(duckdb.OutOfMemoryException):  # what is in use cannot be given back
            self._connection.execute(f"SET memory_limit = '{self._memory // 2}B'")
        try:
            yield
        finally:
            self._connection.execute(f"SET memory_limit = '{self._memory}B'")

    def close(self) -> None:
        """Close; what was committed is on disk."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _errors_become_ours(self) -> Iterator[None]:
        """As everywhere; and what our own questions do not find in a published file is of another version."""
        try:
            with _errors_become_ours(self.path):
                yield
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            if not self._attached:
                raise
            raise WarehouseError(
                f"{self.path} was published by another version of leadchange: run `leadchange detect`, "
                "which publishes it anew"
            ) from error

    def _parsed(self, sql: str) -> duckdb.Statement | str:
        """A statement as DuckDB's parser reads it, read once: that is a fifth of what a small statement takes.

        Several statements at once stay text.
        """
        known = _PARSED.get(sql)
        if known is None:
            statements = self._connection.extract_statements(sql)
            known = statements[0] if len(statements) == 1 else sql
            if len(_PARSED) >= _MOST_PARSED:
                _PARSED.clear()
            _PARSED[sql] = known
        return known

    def execute(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement whose result nobody reads."""
        self.rows(sql, parameters)

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """All rows of a query, as tuples."""
        with self._errors_become_ours():
            return self._connection.execute(self._parsed(sql), parameters).fetchall()

    def records(self, sql: str, parameters: Parameters | None = None) -> Records:
        """All rows of a query, each as column name -> value."""
        with self._errors_become_ours():
            result = self._connection.execute(self._parsed(sql), parameters)
            names = [column[0] for column in result.description or ()]
            return Records(names, result.fetchall())

    def value(self, sql: str, parameters: Parameters | None = None) -> Any:  # noqa: ANN401 a cell may hold anything
        """The first cell of a query's first row; None when there is no row."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    def frame(self, sql: str, parameters: Parameters | None = None) -> pl.DataFrame:
        """All rows of a query, as a polars frame."""
        import polars as pl  # noqa: PLC0415 see TYPE_CHECKING above

        frame = pl.from_arrow(self._arrow(sql, parameters))
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def _arrow(self, sql: str, parameters: Parameters | None) -> pa.Table:
        with self._errors_become_ours():
            return self._connection.sql(self._parsed(sql), params=parameters).to_arrow_table()

    def batches(self, sql: str, *, size: int = 100_000) -> pa.RecordBatchReader:
        """All rows of a query, as Arrow batches of about `size` rows: what is too much to hold at once."""
        with self._errors_become_ours():
            return self._connection.sql(sql).to_arrow_reader(size)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: commit at the end of the block, roll back when it raises."""
        with self.writing:
            self._require_space()
            self.execute("BEGIN TRANSACTION")
            try:
                yield
            except BaseException:
                self._roll_back()
                raise
            self.execute("COMMIT")

    def _require_space(self) -> None:
        """Refuse to begin what a full disk would break off: a checkpoint that fails costs every connection."""
        if self.path is None:
            return
        log = self.path.with_name(self.path.name + ".wal")
        needed = RESERVE + 3 * (log.stat().st_size if log.exists() else 0)
        if shutil.disk_usage(self.path.parent).free < needed:
            # Of a run of several transactions those before this one stand.
            kept = "what was stored before is kept: free some space and run again"
            raise WarehouseError(f"less than {needed // 2**20} MB are free on the disk of {self.path}; {kept}")

    def _roll_back(self) -> None:
        """Roll back; a connection that a fatal error has closed has nothing left to undo."""
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error:
            return

    @contextmanager
    def view_of(self, name: str, rows: pl.DataFrame | str) -> Iterator[None]:
        """Let SQL read a polars frame, or the rows of a query, under `name` within the block."""
        if isinstance(rows, str):
            self.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {rows}")
            yield
            self.execute(f"DROP VIEW IF EXISTS {name}")  # not after an error: that undoes it
            return
        import polars as pl  # noqa: PLC0415 see TYPE_CHECKING above

        # The newest way to lay out strings is the one of both sides: nothing is copied.
        self._connection.register(name, rows.to_arrow(compat_level=pl.CompatLevel.newest()))
        try:
            yield
        finally:
            # After an error the transaction may be broken off, and refuse: what went wrong first is what is told.
            with suppress(duckdb.TransactionException):
                self._connection.unregister(name)

    @contextmanager
    def rows_as(self, name: str, rows: Sequence[Row], schema: Mapping[str, type]) -> Iterator[None]:
        """Let SQL read these rows under `name` within the block; `schema` has a column's Python type."""
        import polars as pl  # noqa: PLC0415 see TYPE_CHECKING above

        with self.view_of(name, pl.DataFrame(rows, schema=schema, orient="row")):
            yield

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file itself."""
        self.execute("CHECKPOINT")

    def refuse_writing(self, sql: str) -> None:
        """Check that `sql` is one statement that only reads.

        Raises:
            QueryRefusedError: it is empty, several statements, writes, or changes settings.
        """
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryRefusedError(_first_line(error)) from None
        if len(statements) != 1:
            raise QueryRefusedError(f"one statement at a time, not {len(statements)}")
        kind = _kind(statements[0])
        if kind == "MULTI":
            # Where its columns are not named, DuckDB first makes a type of what it finds.
            raise QueryRefusedError("PIVOT must name its columns here: ON column IN ('...', '...')")
        if kind not in READING_STATEMENTS:
            raise QueryRefusedError(f"{kind} is refused: this file is read-only, only SELECT and its kin run here")

    def statements_in(self, sql: str) -> list[str]:
        """The statements in somebody's SQL; all of it where it does not parse, for whoever runs it to say why."""
        try:
            return [statement.query for statement in self._connection.extract_statements(sql)]
        except duckdb.Error:
            return [sql]

    def refuse_condition(self, condition: str, relation: str) -> None:
        """Check that `condition` is one boolean SQL expression over `relation`.

        Raises:
            QueryRefusedError: it does not parse, names an unknown column, or is more than an expression.
        """
        # Two places that only an expression fits in both: what closes the bracket of one is out of place in the other.
        inside = f"DESCRIBE SELECT CASE WHEN true THEN {condition}\n END FROM {relation}"  # noqa: S608 somebody's own SQL
        behind = f"SELECT 1 FROM {relation} WHERE ({condition}\n) LIMIT 0"  # noqa: S608 is the point
        for probe in (inside, behind):
            self.refuse_writing(probe)
        kind = self.ask(inside)[1][0][1]
        self.ask(behind)
        if kind != "BOOLEAN":
            raise QueryRefusedError(f"it must be true or false of a model, and is of type {kind}")

    def refuse_reckoning(self, condition: str, relation: str) -> None:
        """Check that `condition` can be told of every row that `relation` has now, a text of it read as a number, say.

        Raises:
            QueryRefusedError: of one it cannot.
        """
        self.ask(f"SELECT count(*) FROM {relation} WHERE ({condition}\n)")  # noqa: S608 somebody's own SQL

    @contextmanager
    def reckoning(self, whose: str) -> Iterator[None]:
        """Within the block somebody's own condition is part of what is asked: what it cannot reckon is theirs to mend.

        Raises:
            QueryRefusedError: a value does not go with it; begins with `whose` it is.
        """
        try:
            yield
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            raise QueryRefusedError(f"{whose}: {_first_line(error)}") from None

    def interrupt(self) -> None:
        """Break off what another thread runs on this connection."""
        self._connection.interrupt()

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Interrupt what runs on this connection when the block takes longer; it is refused as `Interrupted`."""
        alarm = threading.Timer(seconds, self.interrupt)
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()

    def ask(self, sql: str, *, most: int | None = None) -> tuple[list[str], list[Row]]:
        """Run somebody's own query: column names and rows, the first `most` of them (None: all).

        Raises:
            QueryRefusedError: DuckDB could not or would not run it.
        """
        try:
            with _ctrl_c_stays_ctrl_c():
                result = self._connection.execute(sql)
                names = [column[0] for column in result.description or ()]
                return names, result.fetchall() if most is None else result.fetchmany(most)
        except duckdb.PermissionException:
            raise QueryRefusedError(
                "refused: queries here reach this file only, no other file and no network"
            ) from None
        except duckdb.Error as error:
            if _is_damage(str(error)):
                raise WarehouseError(_explain(str(error), self.path)) from None
            raise QueryRefusedError(_first_line(error)) from None


_PUBLISHED = "adoption"
"""What the published file is called in SQL, as if it had been opened by its usual name."""

_NO_EXTENSIONS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
"""Nothing is fetched from the network behind the user's back."""

_GIVEN_BACK = {"allocator_flush_threshold": "16MB", "allocator_bulk_deallocation_flush_threshold": "32MB"}
"""What a query took goes back to the system soon: polars takes turns with DuckDB, and each would hold what it had."""


def make_folder_of(path: Path) -> Path:
    """The folder of a file, made where there is none. Raises WarehouseError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"cannot make the folder of {path}: {error.strerror}") from None
    return path.parent


def _connect(path: Path | None, config: dict[str, str]) -> duckdb.DuckDBPyConnection:
    with _errors_become_ours(path):
        connection = duckdb.connect(str(path) if path else ":memory:", config=dict(config))
        # A day is a UTC day, whatever the machine's time zone.
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        # DuckDB draws its own bar on stdout, where the data goes.
        connection.execute("SET enable_progress_bar = false")
        return connection


def _kind(statement: duckdb.Statement) -> str:
    """What a statement is to DuckDB's parser."""
    try:
        return statement.type.name
    except ValueError:
        # Its Python package does not know every kind that its parser does, e.g. UPDATE EXTENSIONS.
        return "this kind of statement"


@contextmanager
def _errors_become_ours(path: Path | None) -> Iterator[None]:
    """Name what a user can mend; let everything else through as the bug it is."""
    try:
        with _ctrl_c_stays_ctrl_c():
            yield
    except (duckdb.IOException, duckdb.SerializationException) as error:
        kind = WarehouseBusyError if _HOLDER.search(str(error)) else WarehouseError
        raise kind(_explain(str(error), path)) from None
    except duckdb.FatalException as error:
        raise WarehouseDeadError(f"{path} had to be closed: {_first_line(error)}; committed data is kept") from error
    except duckdb.OutOfMemoryException as error:
        # Of our own questions; what somebody else's takes is told to them by `Database.ask`.
        raise WarehouseError(f"busy: there is not enough memory now ({_first_line(error)}); try again") from None
    except duckdb.InterruptException:
        raise WarehouseError("broken off: whoever asks is stopping") from None
    except duckdb.Error as error:
        # Damage, and a disk that is full at COMMIT, have no class of their own.
        if not _is_damage(str(error)) and not _is_full(str(error)):
            raise
        raise WarehouseError(_explain(str(error), path)) from None


@contextmanager
def _ctrl_c_stays_ctrl_c() -> Iterator[None]:
    """DuckDB notices the signal within a query, and makes an error of no class of its own of it."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from None


def _explain(message: str, path: Path | None) -> str:
    """DuckDB's message about a file, as what happened and what to do."""
    if holder := _HOLDER.search(message):
        return (
            f"{path} is in use by process {holder[2]} ({holder[1]}): wait for it, stop it, or read the published file "
            "(`leadchange sql`, `leadchange board`)"
        )
    if "version number" in message:
        return f"{path} was written by a newer DuckDB: upgrade leadchange; the file is untouched"
    if _is_full(message):
        return f"the disk of {path} is full; what was stored before is kept: free some space and run again"
    if _is_damage(message):
        return f"{path} is damaged or no DuckDB file: move it away, or restore a copy; nothing was overwritten"
    if found := _UNOPENED.search(message):
        return f"{path} cannot be opened: {found[1]}; see who may write there, or name another file in [warehouse]"
    return f"{path}: {message.splitlines()[0]}"


_UNOPENED = re.compile(r'(?:Cannot open|Could not read from) file "[^"]*": (.+)')
"""What DuckDB says of a file that the system does not let it have, with the system's reason."""
_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")
"""What DuckDB says about who has a file."""


def _is_full(message: str) -> bool:
    return any(sign in message for sign in _FULL)


_FULL = ("No space left", "File too large", "Disk quota exceeded")
"""What the system says when nothing more can be written."""


def _is_damage(message: str) -> bool:
    return any(sign in message for sign in _DAMAGE)


_DAMAGE = ("not a valid DuckDB database", "Corrupt database file", "Could not read enough bytes")
"""What DuckDB says about a file that is not what it wrote: never one, changed, or cut short."""


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
