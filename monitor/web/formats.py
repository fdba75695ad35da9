"""Rows as JSON, CSV or Parquet over HTTP: small answers at once, whole relations as a stream."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from fastapi.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from monitor.output import as_csv, for_json
from monitor.web.published import Published
from warehouse.db import Database, Records
from warehouse.queries import sql

Form = Literal["json", "csv", "parquet"]

MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}

Stream = Generator[bytes, None, None]

STALLED = 60.0
"""Seconds after which a reader who takes nothing is let go."""

_CHUNK = 1 << 20
_GUARDED = "CASE WHEN regexp_matches({0}, '^[=+@\\t\\r-]') THEN '''' || {0} ELSE {0} END AS {0}"
"""Text that a spreadsheet would run as a formula begins with an apostrophe, as it does in `--format csv`."""


def answer(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: Form, name: str) -> Response:
    """Rows in the form asked for; all but JSON to be saved as `name`. `columns` are those of rows that know of none."""
    columns = rows.columns if isinstance(rows, Records) else columns
    if form == "json":
        plain = [{key: for_json(value) for key, value in row.items()} for row in rows]
        return Response(json.dumps(plain, ensure_ascii=False), media_type=MEDIA["json"])
    body = as_csv(rows, columns).encode() if form == "csv" else _parquet(rows, columns)
    return Response(body, media_type=MEDIA[form], headers=_saved_as(name, form))


def relation(published: Published, name: str, columns: Mapping[str, str], form: Form) -> StreamingResponse:
    """A whole relation as a stream; `columns` are its columns with their types."""
    stream = {"json": _json_stream, "csv": _csv_stream, "parquet": _parquet_stream}[form](published, name, columns)
    # Begun here: what cannot be read now is said while there is still a status to say it with.
    begun = chain([next(stream)], stream)
    return _Download(begun, stream.close, media_type=MEDIA[form], headers=_saved_as(name, form))


def headers_of(name: str, form: Form) -> StreamingResponse:
    """The answer of `relation` without reading any of it; how long it would be nobody knows before."""
    return StreamingResponse(iter(()), media_type=MEDIA[form], headers=_saved_as(name, form))


class _Download(StreamingResponse):
    """A stream that is closed when its reader hangs up, or takes nothing for long.

    By itself it would keep its turn until Python tidies up, or for as long as the connection stands.
    """

    def __init__(self, content: Iterator[bytes], close: Callable[[], None], **more: Any) -> None:  # noqa: ANN401 Starlette's
        super().__init__(content, **more)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def within(message: Message) -> None:
            async with asyncio.timeout(STALLED):
                await send(message)

        try:
            with suppress(TimeoutError):
                await super().__call__(scope, receive, within)
        finally:
            self._close()


def write_parquet(db: Database, name: str, target: Path) -> int:
    """Write a relation to a Parquet file, batch by batch; how many rows it has."""
    import pyarrow.parquet as pq  # noqa: PLC0415 a sixth of a second that only this should cost

    rows = 0
    reader = db.batches(sql("whole_relation", relation=name))
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _saved_as(name: str, form: Form) -> dict[str, str]:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)
    return {"content-disposition": f'attachment; filename="{safe}.{form}"'}


def _parquet(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    import polars as pl  # noqa: PLC0415 a quarter of a second that only this should cost

    out = io.BytesIO()
    frame = pl.DataFrame([dict(row) for row in rows], infer_schema_length=None) if rows else None
    (pl.DataFrame(schema=list(columns)) if frame is None else frame).write_parquet(out)
    return out.getvalue()


def _json_stream(published: Published, name: str, _columns: Mapping[str, str]) -> Stream:
    with published.connection() as db:
        lead = b"["
        for batch in db.batches(sql("relation_as_json", relation=name), size=10_000):
            for line in batch.column(0).to_pylist():
                yield lead + line.encode()
                lead = b",\n"
        yield b"]\n" if lead != b"[" else b"[]\n"


def _csv_stream(published: Published, name: str, columns: Mapping[str, str]) -> Stream:
    from pyarrow import csv  # noqa: PLC0415 see write_parquet

    shown = ", ".join(_csv_column(column, kind) for column, kind in columns.items())
    with published.connection() as db:
        batches = db.batches(sql("relation_as_text", relation=name, columns=shown))
        yield (",".join(columns) + "\n").encode()
        for batch in batches:
            out = io.BytesIO()
            csv.write_csv(batch, out, csv.WriteOptions(include_header=False, quoting_style="needed"))
            yield out.getvalue()


def _csv_column(column: str, kind: str) -> str:
    if kind == "VARCHAR":
        return _GUARDED.format(column)
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
    return f"CAST(to_json({column}) AS VARCHAR) AS {column}" if nested else column


def _parquet_stream(published: Published, name: str, _columns: Mapping[str, str]) -> Stream:
    with tempfile.TemporaryDirectory(prefix="leadchange-") as folder:
        target = Path(folder) / "relation.parquet"
        with published.connection() as db:
            write_parquet(db, name, target)
        with target.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
