"""How CSV files write bytes, days and numbers: what is read, and what is left to whoever knows."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.history import csv_text
from jobs.history.own_files import opened
from jobs.history.own_text import HistoryError
from jobs.history.told import NOTHING_TOLD, Decimal, Order, Told
from jobs.hub_base import UnreadableError
from monitor.config import ConfigError
from monitor.series import read_series

TODAY = date(2026, 11, 1)
ROWS = "day;repo_id;downloads\n2025-03-30;a/x;1234\n2025-03-31;a/x;1235\n"


def numbers(*cells: str | None, told: Decimal | None = None) -> list[float | None]:
    text = pl.LazyFrame({"n": cells}, {"n": pl.String})
    mark = csv_text.decimal_mark(text, ["n"], told)
    return text.select(csv_text.number("n", mark)).collect()["n"].to_list()


def days(*cells: str | None, told: Order | None = None) -> list[date | None]:
    text = pl.Series("d", cells, pl.String)
    form = csv_text.day_form(text, told)
    return text.to_frame().select(form.read("d"))["d"].to_list()


def stored(file: Path, text: str | bytes, told: Told | None = None) -> tuple[dict[date, list[int]], list[str]]:
    """The counts of every day of a file, and what was said of it."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    said: list[str] = []
    where: dict[str, Any] = {"folder": file.parent, "told": told or NOTHING_TOLD, "say": said.append}
    with opened([file], csv=True, columns={}, day=None, today=TODAY, **where) as parts:
        counts = {
            part.days[0]: part.tables[0].rows(day=part.days[0]).models["downloads_30d"].to_list() for part in parts
        }
    return counts, said


# Numbers


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["1234", "5", " 7 ", "", None], [1234, 5, 7, None, None]),
        (["1,234", "12,345,678"], [1234, 12345678]),
        (["1.234", "12.345.678"], [1234, 12345678]),
        (["1,234", "12.5"], [1234, 12.5]),
        (["1.234", "12,5"], [1234, 12.5]),
        (["1,234.0"], [1234]),
        (["1.234,50"], [1234.5]),
        (["1 234", "12\u00a0345\u202f678,5", "1'234"], [1234, 12345678.5, 1234]),
        (["1.2345E+04", "1e3"], [12345, 1000]),
        (["12.000", "1234567.000"], [12, 1234567]),  # three places behind the point, as programs write them
        (["0.512", "12.345"], [0.512, 12.345]),
        (["-5", "+5"], [-5, 5]),
        (["N/A", "nan", "inf", "12k", "5%", "1,23,456", "1 23"], [None] * 7),
    ],
)
def test_numbers_are_read_as_all_of_them_together_say(cells: Sequence[str | None], read: list[float | None]) -> None:
    assert numbers(*cells) == read


@pytest.mark.parametrize("cell", ["1,234", "12.000"])
def test_a_number_that_may_be_two_is_read_when_told_which(cell: str) -> None:
    with pytest.raises(UnreadableError, match=f"'{cell}' may have thousands or a fraction.*--decimal"):
        numbers(cell, "999")
    one, other = numbers(cell, told=Decimal.point), numbers(cell, told=Decimal.comma)
    assert {*one, *other} == {float(cell.replace(",", ".")), float(cell.replace(",", "").replace(".", ""))}


def test_numbers_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UnreadableError, match=r"a point in '1\.5' and a comma in '2,5'"):
        numbers("1.5", "2,5")


# Days


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["2025-03-01", "2025-03-30T23:30:00-05:00"], [date(2025, 3, 1), date(2025, 3, 31)]),
        (["01.03.2025", " 31.03.2025 "], [date(2025, 3, 1), date(2025, 3, 31)]),
        (["3/1/2025", "3/31/2025 0:00"], [date(2025, 3, 1), date(2025, 3, 31)]),
        (["2025/03/01", "2025/3/2"], [date(2025, 3, 1), date(2025, 3, 2)]),
        (["20250301"], [date(2025, 3, 1)]),
        (["02.02.2025"], [date(2025, 2, 2)]),  # the same day in any order
        (["31.03.2025", "Total", None], [date(2025, 3, 31), None, None]),
        (["3/1/25"], [None]),
        ([], []),
    ],
)
def test_days_are_read_in_the_one_way_in_which_all_of_them_are_days(
    cells: Sequence[str | None], read: list[date | None]
) -> None:
    assert days(*cells) == read


@pytest.mark.parametrize("mark", [".", "/", "-"])
def test_days_that_may_be_two_are_read_when_told_which(mark: str) -> None:
    cell = mark.join(("01", "03", "2025"))
    with pytest.raises(UnreadableError, match=f"'{cell}' may be DD{mark}MM{mark}YYYY or MM.*--day-order"):
        days(cell)
    assert days(cell, told=Order.dmy) == [date(2025, 3, 1)]
    assert days(cell, told=Order.mdy) == [date(2025, 1, 3)]


# Files


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(ROWS.encode("utf-8-sig"), id="utf-8 with a byte order mark"),
        pytest.param(ROWS.encode("utf-16"), id="utf-16"),
        pytest.param(b"\xfe\xff" + ROWS.encode("utf-16-be"), id="utf-16 the other way round"),
        # Gzip keeps the second in which it packs: such bytes make no name, which every worker must call the same.
        pytest.param(gzip.compress(ROWS.encode()), id="packed"),
        pytest.param(gzip.compress(ROWS.encode("utf-16")), id="utf-16, packed"),
        pytest.param(ROWS.replace("\n", "\r\n\r\n;;\r\n").encode(), id="empty rows, lines that end as on Windows"),
        pytest.param(ROWS.replace(";", " ; ").encode(), id="spaces around the delimiter"),
        pytest.param(b"sep=;\r\n" + ROWS.encode(), id="a line that names the delimiter"),
        pytest.param(("sep=;\n" + ROWS).encode("utf-16"), id="utf-16, a line that names the delimiter"),
    ],
)
def test_files_are_read_however_spreadsheets_and_packers_left_them(tmp_path: Path, content: bytes) -> None:
    read = stored(tmp_path / "mine.csv", content)
    assert read == ({date(2025, 3, 30): [1234], date(2025, 3, 31): [1235]}, [])


def test_a_european_spreadsheet_is_read_and_it_is_said_how(tmp_path: Path) -> None:
    text = "day;repo_id;downloads\n01.03.2025;a/x;1.234\n31.03.2025;a/x;12.345.678\n"
    counts, said = stored(tmp_path / "mine.csv", text)
    assert counts == {date(2025, 3, 1): [1234], date(2025, 3, 31): [12345678]}
    assert said == [f"{tmp_path / 'mine.csv'}: days are read as DD.MM.YYYY, fractions begin with a comma"]


def test_what_was_told_of_a_file_holds_for_it(tmp_path: Path) -> None:
    text = "day;repo_id;downloads\n01.03.2025;a/x;1.234\n"
    counts, _ = stored(tmp_path / "mine.csv", text, Told(Decimal.comma, Order.mdy))
    assert counts == {date(2025, 1, 3): [1234]}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("01.04.2025;a/x;-5", "line 4: downloads '-5' is no whole number from 0 on"),
        ("Total;;2469", r"line 4: day 'Total' is no day \(DD.MM.YYYY\) from 2000-01-01 to 2026-11-01"),
        ("31.12.2026;a/x;5", r"line 4: day '31.12.2026' is no day \(DD.MM.YYYY\) from 2000-01-01 to 2026-11-01"),
    ],
)
def test_a_row_that_is_none_is_named_with_its_line_and_its_cell(tmp_path: Path, row: str, says: str) -> None:
    rows = ROWS.replace("2025-03-30", "30.03.2025").replace("2025-03-31", "31.03.2025")
    with pytest.raises(HistoryError, match=says):
        stored(tmp_path / "mine.csv", rows + row)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(ROWS.replace("a/x", "a/é").encode("latin-1"), "it is not in UTF-8: save it so", id="latin-1"),
        pytest.param(f"{ROWS}2025-03-30;a/y;1;234\n".encode(), "a row has more cells than the first line", id="ragged"),
        pytest.param(gzip.compress(ROWS.encode())[:20], "no readable CSV", id="packed, cut short"),
        pytest.param(b"\xff\xfea", "no readable CSV", id="utf-16, cut short"),
    ],
)
def test_bytes_that_are_no_text_are_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(HistoryError, match=says):
        stored(tmp_path / "mine.csv", content)
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        read_series(tmp_path / "mine.csv", "day,repo_id,downloads")


def test_rows_of_no_model_are_named_before_they_are_set_aside(tmp_path: Path) -> None:
    counts, said = stored(tmp_path / "mine.csv", f"{ROWS}2025-03-31;Total;1235\n2025-03-31;;7\n")
    assert counts == {date(2025, 3, 30): [1234], date(2025, 3, 31): [1235]}
    assert said == [f"{tmp_path / 'mine.csv'}, line 4: repo_id 'Total' is no publisher/name; set aside: 2 rows"]


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/a/x",
        "http://www.HuggingFace.co/a/x/",
        "https://hf.co/a/x?library=vllm",
        "https://hf.co/a/x#use",
    ],
)
def test_the_address_of_a_model_is_its_name(tmp_path: Path, address: str) -> None:
    by_name = stored(tmp_path / "mine.csv", ROWS)
    assert stored(tmp_path / "mine.csv", ROWS.replace("a/x", address)) == by_name


def test_the_address_of_something_else_is_no_name(tmp_path: Path) -> None:
    elsewhere = "https://huggingface.co/datasets/a/x"
    _, said = stored(tmp_path / "mine.csv", f"{ROWS}2025-03-31;{elsewhere};1\n")
    assert said == [f"{tmp_path / 'mine.csv'}, line 4: repo_id {elsewhere!r} is no publisher/name; set aside: 1 row"]


def test_a_column_that_is_there_twice_is_not_chosen_from(tmp_path: Path) -> None:
    (tmp_path / "totals.csv").write_text("day,entity,value,value\n2025-01,A,1,2\n")
    with pytest.raises(ConfigError, match="it has the column value more than once"):
        read_series(tmp_path / "totals.csv")
    with pytest.raises(HistoryError, match="it has the column downloads more than once"):
        stored(tmp_path / "mine.csv", "day,repo_id,downloads,downloads\n2025-03-31,a/x,1,2\n")


def test_a_line_is_counted_from_where_the_file_begins(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="line 5: downloads 'many'"):
        stored(tmp_path / "mine.csv", f"sep=;\n{ROWS}2025-04-01;a/x;many\n")


def test_spaces_around_a_name_make_nobody_else_of_it(tmp_path: Path) -> None:
    file = tmp_path / "totals.csv"
    file.write_text("day, entity, value\n2025-03-31, A, 1\n2025-04-30,A,2\n")
    assert set(read_series(file)["entity"]) == {"A"}
    file.write_text("day,entity,value\n2025-03-31, ,1\n")
    with pytest.raises(ConfigError, match="line 2: a day"):
        read_series(file)


def test_a_series_has_one_total_of_somebody_on_a_day_however_spelt(tmp_path: Path) -> None:
    file = tmp_path / "totals.csv"
    file.write_text("day,entity,value\n2025-01,Alpha-Lab,1\n2025-01,alpha-lab,2\n")
    with pytest.raises(ConfigError, match="Alpha-Lab has two values on 2025-01-31"):
        read_series(file)


def test_a_series_is_read_by_the_same_rules(tmp_path: Path) -> None:
    file = tmp_path / "totals.csv"
    said: list[str] = []
    file.write_bytes("day;entity;value\n31.03.2025;A;1.234.567\n\n30.04.2025;A;2.234.567,5\n".encode("utf-16"))
    values = read_series(file, say=said.append)
    assert values.rows() == [(date(2025, 3, 31), "A", 1234567.0), (date(2025, 4, 30), "A", 2234567.5)]
    assert said == [f"{file}: days are read as DD.MM.YYYY, fractions begin with a comma"]
    file.write_text("day,entity,value\n2025-03,A,12.345\n")
    with pytest.raises(ConfigError, match=r"totals\.csv: '12\.345' may have thousands"):
        read_series(file)
    assert read_series(file, told=Told(Decimal.point))["value"].to_list() == [12.345]
