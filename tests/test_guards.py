"""Guards over the whole surface: the package, the arrows, the SQL, the errors, the reference pages."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import pkgutil
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import docs
from monitor.config import LISTS, SECTIONS
from warehouse.errors import LeadchangeError
from warehouse.queries import queries

ROOT = Path(__file__).parent.parent
ROOMS = ("alerts", "jobs", "monitor", "warehouse")

COMMANDS = [
    "alerts", "backfill series", "backtest", "board", "check", "collect", "deliver", "deliveries", "demo", "detect",
    "explain", "export", "flips", "init", "report", "run", "send-test", "silence", "sql", "test-rules", "when",
]  # fmt: skip
"""What the contract names and what is built; a command is added here when it is built and never taken away."""


def sources() -> Iterator[Path]:
    """Every file of the four rooms."""
    for room in ROOMS:
        for file in (ROOT / room).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


# The package


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_four_rooms_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(ROOMS)
    missing = {file.relative_to(ROOT).as_posix() for file in sources()} - set(names)
    assert missing == set()
    kinds = {Path(name).suffix for name in names}
    assert {".sql", ".toml", ".j2", ".parquet", ".csv"} <= kinds
    licences = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert licences >= {"LICENSE", "NOTICE"}


def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True, timeout=120)
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} == set(ROOMS)
    # The dependencies are those of this environment; nothing of the checkout is in reach.
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(dependencies + "\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(str(python), "-c", "import monitor, warehouse, jobs, alerts; print(monitor.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    program = str(tmp_path / "venv" / "bin" / "leadchange")
    assert run(program, "--version") == f"leadchange {importlib.metadata.version('leadchange')}\n"
    assert run(program, "init", "here") == "wrote here/leadchange.toml\n"
    loaded = "from warehouse.queries import queries, migrations; from warehouse.registry import bundled; "
    assert run(
        str(python), "-c", loaded + "print(len(queries()) > 50, len(migrations()) > 0, len(bundled()) > 34)"
    ) == ("True True True\n")


def test_nobody_else_owns_the_names_of_the_rooms() -> None:
    owners = importlib.metadata.packages_distributions()
    found = {room: set(owners.get(room, ["leadchange"])) for room in ROOMS}
    assert found == {room: {"leadchange"} for room in ROOMS}


def test_every_module_can_be_imported_by_itself() -> None:
    names = [
        module.name
        for room in ROOMS
        for module in pkgutil.walk_packages([str(ROOT / room)], prefix=f"{room}.")
        if not module.name.endswith("__main__")
    ]
    assert len(names) > 50
    for name in names:
        importlib.import_module(name)


# The arrows


def test_the_arrows_between_the_rooms_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(linter)], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


# The SQL


def test_every_query_has_a_name_of_its_own_and_a_sentence() -> None:
    named = [
        name
        for file in sorted((ROOT / "warehouse" / "sql").glob("*.sql"))
        for name in re.findall(r"^-- name: (\w+)$", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(named) == sorted(set(named))
    # A query without a sentence is not recognised as one.
    assert set(named) == queries().keys()
    for name, text in queries().items():
        about = [line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- ")][1:]
        assert about[0][0].isupper(), name
        assert "".join(about).rstrip()[-1] in ".;:?", name


def test_every_query_is_used_and_every_one_used_exists() -> None:
    code = "\n".join(file.read_text("utf-8") for file in sources() if file.suffix == ".py")
    # Some are asked for by a name put together, and the questions of the SQL page by what they begin with.
    templates = [re.sub(r"\{[^}]*\}", r"\\w+", name) for name in re.findall(r'\bsql\(\s*f"([^"]+)"', code)]
    beginnings = tuple(re.findall(r'"(\w+_)"', code))
    unused = [
        name
        for name in queries()
        if f'"{name}"' not in code
        and not name.startswith(beginnings)
        and not any(re.fullmatch(template, name) for template in templates)
    ]
    assert unused == []
    asked = set(re.findall(r'\bsql\(\s*"(\w+)"', code))
    assert asked - queries().keys() == set()


def test_every_slot_of_a_query_is_filled_by_fragments_of_ours() -> None:
    """A `{slot}` is the only way text gets into SQL, and only `sql(name, slot=...)` fills one."""
    code = "\n".join(file.read_text("utf-8") for file in sources() if file.suffix == ".py")
    for name, text in queries().items():
        for slot in set(re.findall(r"\{(\w+)\}", text)):
            assert re.search(rf"\b{slot}=", code), (name, slot)


# The errors


def test_every_error_a_user_can_mend_has_an_exit_code_of_the_contract() -> None:
    test_every_module_can_be_imported_by_itself()
    known, found = [LeadchangeError], set()
    while known:
        error = known.pop()
        found.add(error)
        known += error.__subclasses__()
    ours = {error for error in found if error.__module__.partition(".")[0] in ROOMS}
    assert len(ours) > 5
    assert {error.__name__: error.exit_code for error in ours if error.exit_code not in (2, 3, 4, 5)} == {}


# The reference pages


@pytest.mark.parametrize("name", ["cli.md", "configuration.md"])
def test_a_reference_page_is_as_the_program_would_write_it(name: str) -> None:
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == docs.pages()[name], "the program has changed: run `make docs`"


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert [command for command in COMMANDS if f"## `leadchange {command}`" not in page] == []


def test_every_key_is_documented_with_what_it_means() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert [line for line in page.splitlines() if line.startswith("|") and line.endswith("|  |")] == []
    for section in SECTIONS:
        assert f"## `[{section}]`" in page
    for section in LISTS:
        assert f"## `[[{section}]]`" in page
