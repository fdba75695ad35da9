"""The configuration: every mistake in one run, one line each, with the name that was meant; secrets never."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from alerts.channels import CHANNELS
from monitor import config
from monitor.config import BOARDS, LISTS, RULES, SECTIONS, ConfigError, Settings, load, template


def write(folder: Path, text: str) -> Path:
    file = folder / "leadchange.toml"
    file.write_text(text, "utf-8")
    return file


def mistakes(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    """What is said about a configuration."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), environment or {})
    assert str(caught.value).splitlines() == list(caught.value.mistakes)
    return list(caught.value.mistakes)


def one_mistake(folder: Path, text: str) -> str:
    (line,) = mistakes(folder, text)
    return line


def keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


# Mistakes


def test_three_mistakes_are_three_lines(tmp_path: Path) -> None:
    text = """
[hub]
endpiont = "https://example.org"
page_size = 100000

[[rule]]
name = "who-leads"
board = "familes"
"""
    assert mistakes(tmp_path, text) == [
        "leadchange.toml: [hub]: page_size: input should be less than or equal to 1000",
        "leadchange.toml: [hub]: endpiont: unknown key; did you mean 'endpoint'?",
        "leadchange.toml: [[rule]] 'who-leads': no board is called 'familes'; did you mean 'families'?",
    ]


def test_a_warehouse_that_is_its_own_copy_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    text = '[warehouse]\npath = "w.duckdb"\npublish = "link/w.duckdb"\n'
    assert "path and publish are one file" in one_mistake(tmp_path, text)


FILES = """
[web]
token_file = "t"
[[channel]]
name = "a"
type = "webhook"
url_file = "u"
secret_file = "s"
ca_file = "c"
[[channel]]
name = "b"
type = "email"
host = "smtp.example.org"
username = "me"
password_file = "p"
ca_file = "/etc/ca.pem"
from = "me@example.org"
to = ["you@example.org"]
[[channel]]
name = "c"
type = "slack"
url_file = "u"
[[channel]]
name = "d"
type = "apprise"
url_file = "u"
[[channel]]
name = "e"
type = "folder"
path = "outbox"
[[channel]]
name = "f"
type = "slack-bot"
token_file = "t"
channel = "C0123456789"
"""


def test_relative_paths_of_every_kind_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the file says of itself; a service is started in another folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load(write(tmp_path, FILES), {})
    sections = (settings.warehouse, settings.web, *settings.channels)
    paths = [value for section in sections for _, value in section if isinstance(value, Path)]
    assert len(paths) == 12
    assert {path.parent for path in paths} == {tmp_path, tmp_path / "leadchange-data", Path("/etc")}


RULE = "[[rule]]\nname = 'r'\nboard = 'families'\n"
BOARD = "[[board]]\nname = 'b'\nentity = 'family'\n"
MAIL = "[[channel]]\nname = 'm'\ntype = 'email'\nhost = 'localhost'\nto = ['a@example.org']\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[hubb]\n", "[hubb]: unknown section; did you mean 'hub'?"),
        ("[warehouse]\npubish = 'x'\n", "[warehouse]: pubish: unknown key; did you mean 'publish'?"),
        ("[registry]\nonly = ['Qwem']\n", "[registry] only: no family is called 'Qwem'; did you mean 'Qwen'?"),
        (RULE + "confrim = 2\n", "[[rule]] 'r': confrim: unknown key; did you mean 'confirm'?"),
        (RULE + "channels = ['consle']\n", "'r': no channel is called 'consle'; did you mean 'console'?"),
        ("[[channel]]\nname = 'c'\ntype = 'slak'\n", "did you mean 'slack'?"),
        (
            "[[channel]]\nname = 'c'\n",
            "'c': type: field required: console, slack, slack-bot, email, webhook, apprise, folder",
        ),
        (
            "[[channel]]\nname = 'c'\ntype = 'memry'\n",
            "'memry' is none of console, slack, slack-bot, email, webhook, ap",
        ),
        (BOARD + "measure = 'downlods'\n", "no measure is called 'downlods'"),
        ("[rule]\nname = 'r'\n", "[[rule]]: write it with double brackets, [[rule]]: there may be several"),
        (BOARD + BOARD, "[[board]] 'b': written 2 times"),
        ("[registry]\nbundled = false\n", "bundled = false and no [[family]] is written: there is nothing to poll"),
        (
            "[hub]\nendpoint = 'ftp://example.org'\n",
            "endpoint: must be http(s)://host, without user, query or fragment",
        ),
        (
            '[[family]]\nname = "A\\nB"\ncountry = "DE"\npublishers = ["a"]\n',
            "[[family]] 'A\\nB': name: must be one line",
        ),
        ("hub = 3\n", "[hub]: write it as one table"),
        ("[registry]\nonly = 'Qwen'\n", '[registry]: only: write a list: ["...", "..."]'),
        ("[[family]]\nname = 'A'\ncountry = 'DE'\npublishers = []\n", "publishers: at least one entry is needed"),
        ("[[family]]\nname = 'A'\ncountry = 'DE'\npublishers = ['a/b']\n", "publishers.0: must be what stands before"),
        (
            "[[family]]\nname = 'A'\ncountry = 'Germany'\npublishers = ['a']\n",
            "country: must be two capital letters of ISO 3166, such as CN",
        ),
        (BOARD.replace("'b'", "'my board'"), "'my board': name: must have letters, digits, _, - and . only"),
        (RULE.replace("'r'", "''"), "name: must not be empty"),
        (MAIL + "from = 'Desk <desk@example.org>'\n", "from: must be a mail address alone, such as desk@example.org"),
        (MAIL + "from = 'desk@example.org'\nusername = 'a b'\n", "username: must have ASCII characters only, and no"),
        (
            MAIL + "from = 'desk@example.org'\nunsubscribe_url = 'http://a'\n",
            "unsubscribe_url: must begin with https://",
        ),
        ("[[channel]]\nname = 's'\ntype = 'slack-bot'\ntoken_env = 'T'\nchannel = '#a'\n", "such as C0123456789"),
        ("[web]\npublic_url = 'example.org'\n", "[web]: public_url: must begin with https:// or http://, and have no"),
        ("[web]\npublic_url = 'https://a.example/x?y'\n", "[web]: public_url: must begin with https:// or http://"),
        (
            "[web]\npublic_url = 'https://a.example/api/'\n",
            "public_url: its path must not begin like a page of the dashboard, as /api does",
        ),
        (
            "[web]\norigins = ['lab.example']\n",
            "[web]: origins.0: must be scheme and host in lower case, without a path",
        ),
        ("[web]\norigins = ['*', 'https://lab.example/']\n", "[web]: origins.1: must be scheme and host in lower case"),
        ("[web]\norigins = ['https://*.example']\n", "[web]: origins.0: must be scheme and host"),
        ("[web]\norigins = 'https://lab.example'\n", '[web]: origins: write a list: ["...", "..."]'),
        ("[warehouse]\npublish = ''\n", "[warehouse]: publish: names no file"),
        ("[web]\nhost = ''\n", "[web]: host: must not be empty"),
        (RULE + "when = 'milestone'\nat = [1, nan]\n", "[[rule]] 'r': at.1: input should be a finite number"),
        ("[schedule]\ncollect = '0 0 30 2 *'\n", "[schedule] collect: '0 0 30 2 *' names a day that never comes"),
        ("[[digest]]\nname = 'd'\ncron = '0 0 31 4 *'\n", "[[digest]] 'd' cron: '0 0 31 4 *' names a day that never"),
        ("[web]\nport = 'eighty'\n", "[web]: port: input should be a valid integer"),
        ('[hub]\n"a\\nb" = 1\n', r"[hub]: 'a\nb': unknown key; known: "),
        ('["a\\nb"]\n', r"['a\nb']: unknown section; known: "),
        ("[web]\nport = true\n", "[web]: port: input should be a valid number"),
        (RULE + "confirm = true\n", "[[rule]] 'r': confirm: input should be a valid number"),
        (RULE + "margin = false\n", "[[rule]] 'r': margin: input should be a valid number"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what_was_meant(tmp_path: Path, text: str, line: str) -> None:
    said = one_mistake(tmp_path, text)
    assert said.startswith("leadchange.toml: ")
    assert line in said


def test_one_broken_entry_is_not_reported_twice(tmp_path: Path) -> None:
    """The rule's board exists, and only its definition is wrong."""
    text = (
        "[[board]]\nname = 'mine'\nentity = 'nation'\n[[rule]]\nname = 'r'\nboard = 'mine'\nchannels = ['c']\n"
        "[[channel]]\nname = 'c'\ntype = 'telex'\n"
    )
    said = mistakes(tmp_path, text)
    assert len(said) == 2
    assert not [line for line in said if "[[rule]]" in line]


def test_every_family_that_is_chosen_and_unknown_is_said_and_none_that_is_written_and_wrong(tmp_path: Path) -> None:
    text = "[registry]\nonly = ['Qwem', 'Mine', 'Gema']\n[[family]]\nname = 'Mine'\npublishers = ['mine']\n"
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert str(caught.value).splitlines() == [
        "leadchange.toml: [[family]] 'Mine': country: field required",
        "leadchange.toml: [registry] only: no family is called 'Qwem'; did you mean 'Qwen'?",
        "leadchange.toml: [registry] only: no family is called 'Gema'; did you mean 'Gemma'?",
    ]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [("board", "entity = 'family'"), ("rule", "board = 'families'"), ("channel", "type = 'console'"), ("digest", "")],
)
def test_a_name_that_is_written_twice_is_said_also_where_one_of_the_two_is_wrong(
    tmp_path: Path, kind: str, keys: str
) -> None:
    entry = f"[[{kind}]]\nname = 'x'\n{keys}\n"
    assert [line.removeprefix("leadchange.toml: ") for line in mistakes(tmp_path, f"{entry}odd = 1\n{entry}")] == [
        next(line for line in mistakes(tmp_path, f"{entry}odd = 1\n")).removeprefix("leadchange.toml: "),
        f"[[{kind}]] 'x': written 2 times",
    ]


def test_unknown_sections_are_said_in_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    names = ["zed", "hubb", "alpha", "ruler", "mid", "webs"]
    said = mistakes(tmp_path, "".join(f"[{name}]\n" for name in names))
    assert [line.split("[")[1].split("]")[0] for line in said] == names


def test_a_byte_order_mark_as_some_editors_write_it_is_no_mistake(tmp_path: Path) -> None:
    assert load(write(tmp_path, "\ufeff[hub]\nquota_share = 0.25\n"), {}).hub.quota_share == 0.25


def test_an_entry_that_is_wrong_in_three_ways_is_three_lines(tmp_path: Path) -> None:
    """A key that nobody knows does not hide that the board and the channel are not there either."""
    said = mistakes(tmp_path, "[[rule]]\nname = 'r'\nboard = 'famlies'\nchannels = ['consol']\nconfrim = 2\n")
    assert sorted(line.removeprefix("leadchange.toml: [[rule]] 'r': ") for line in said) == [
        "confrim: unknown key; did you mean 'confirm'?",
        "no board is called 'famlies'; did you mean 'families'?",
        "no channel is called 'consol'; did you mean 'console'?",
    ]


@pytest.mark.parametrize("text", ["[hub\n", "a = 1\na = 2\n", "\x00"])
def test_what_is_no_toml_is_one_line(tmp_path: Path, text: str) -> None:
    assert "no valid TOML" in one_mistake(tmp_path, text)


def test_a_file_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "leadchange.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no valid TOML"):
        load(tmp_path / "leadchange.toml", {})


# Secrets

SECRET = "xoxb-12345-very-secret"


@pytest.mark.parametrize(
    ("kind", "required", "key"),
    [
        ("slack", "", "url"),
        ("email", "host = 'h'\nfrom = 'a@example.org'\nto = ['b@example.org']\nusername = 'u'\n", "password"),
    ],
)
def test_a_secret_written_as_a_literal_is_refused_and_not_repeated(
    tmp_path: Path, kind: str, required: str, key: str
) -> None:
    said = mistakes(tmp_path, f"[[channel]]\nname = 'c'\ntype = '{kind}'\n{required}{key} = '{SECRET}'\n")
    assert any(f"{key}: a secret is never written here: use {key}_env or {key}_file" in line for line in said)
    assert SECRET not in "\n".join(said)


def test_reading_a_configuration_reads_no_secret(tmp_path: Path) -> None:
    text = "[[channel]]\nname = 'c'\ntype = 'slack'\nurl_env = 'NOT_SET_ANYWHERE'\n"
    assert load(write(tmp_path, text), {}).channel("c").name == "c"


# Defaults


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {})
    assert settings.source is None
    assert settings.hub.endpoint == "https://huggingface.co"
    assert (settings.hub.quota_share, settings.hub.timeout_seconds) == (0.5, 30)
    assert settings.warehouse.path == Path("leadchange-data/warehouse.duckdb")
    assert settings.warehouse.publish == Path("leadchange-data/adoption.duckdb")
    assert (settings.schedule.collect, settings.schedule.deliver) == ("30 10 * * *", "* * * * *")
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8765)
    assert settings.boards == BOARDS
    assert settings.rules == RULES
    assert [(channel.name, type(channel)) for channel in settings.channels] == [("console", CHANNELS["console"][0])]
    assert len(settings.registry.families) >= 35


def test_an_empty_file_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert without_place(load(write(tmp_path, ""), {}), tmp_path) == without_place(load(None, {}), tmp_path)


def without_place(settings: Settings, folder: Path) -> dict[str, object]:
    """Settings that can be compared: a registry by its fingerprint, paths relative to the folder."""
    paths = settings.warehouse.path, settings.warehouse.publish
    return {
        "hub": settings.hub,
        "warehouse": [str(path.relative_to(folder) if path.is_absolute() else path) for path in paths],
        "schedule": settings.schedule,
        "web": settings.web,
        "registry": (settings.registry.fingerprint(), settings.registry.publishers),
        "boards": settings.boards,
        "rules": settings.rules,
        "channels": settings.channels,
        "digests": settings.digests,
    }


def test_a_board_of_ones_own_is_added_and_one_of_a_defaults_name_takes_its_place(tmp_path: Path) -> None:
    text = BOARD + "[[board]]\nname = 'models'\nentity = 'model'\nmeasure = 'likes'\n"
    boards = load(write(tmp_path, text), {}).boards
    assert [board.name for board in boards] == ["families", "publishers", "countries", "models", "b"]
    assert boards[3].measure == "likes"


def test_rules_that_are_written_take_the_place_of_the_default_one(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "rule = []\n"), {})
    assert settings.rules == ()


def test_a_family_of_ones_own_is_polled_and_only_narrows(tmp_path: Path) -> None:
    text = "[registry]\nonly = ['Mine']\n[[family]]\nname = 'Mine'\ncountry = 'DE'\npublishers = ['mine-ai']\n"
    registry = load(write(tmp_path, text), {}).registry
    assert registry.publishers == ("mine-ai",)
    assert registry.family_of("Qwen/Qwen3-8B") == "Qwen"


# Where it is found, and what is beside it


def test_relative_paths_are_relative_to_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "etc", "[warehouse]\npath = 'w.duckdb'\npublish = '/srv/adoption.duckdb'\n")
    settings = load(file, {})
    assert settings.warehouse.path == tmp_path / "etc" / "w.duckdb"
    assert settings.warehouse.publish == Path("/srv/adoption.duckdb")


def test_the_file_named_goes_before_the_environment_and_that_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for name in ("here", "environment", "named"):
        (tmp_path / name).mkdir()
        files[name] = write(tmp_path / name, "")
    monkeypatch.chdir(tmp_path / "here")
    environment = {"LEADCHANGE_CONFIG": str(files["environment"])}
    assert load(files["named"], environment).source == files["named"]
    assert load(None, environment).source == files["environment"]
    assert load(None, {}).source == Path("leadchange.toml")
    assert load(None, {"LEADCHANGE_CONFIG": ""}).source == Path("leadchange.toml")


def test_a_file_that_is_named_and_not_there_is_one_line(tmp_path: Path) -> None:
    for path, environment in ((tmp_path / "no.toml", {}), (None, {"LEADCHANGE_CONFIG": str(tmp_path / "no.toml")})):
        with pytest.raises(ConfigError, match=r"no\.toml: no such configuration file; `leadchange init` writes one"):
            load(path, environment)


def test_hf_endpoint_wins_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[hub]\nendpoint = 'https://mirror.example.org'\n")
    assert load(file, {}).hub.endpoint == "https://mirror.example.org"
    assert load(file, {"HF_ENDPOINT": "http://127.0.0.1:8000/"}).hub.endpoint == "http://127.0.0.1:8000"
    with pytest.raises(ConfigError, match=r"^HF_ENDPOINT: endpoint: must be http\(s\)://host"):
        load(file, {"HF_ENDPOINT": "nonsense"})


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    settings = load(write(tmp_path, ""), {})
    near = {"board": ("famlies", "families"), "rule": ("wholeads", "who-leads"), "channel": ("konsole", "console")}
    for kind, (name, meant) in near.items():
        with pytest.raises(config.NotKnownError, match=f"no {kind} is called '{name}'; did you mean '{meant}'"):
            getattr(settings, kind)(name)


# The file that `leadchange init` writes


def test_the_template_is_read_and_equals_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = load(write(tmp_path, template()), {})
    assert without_place(written, tmp_path) == without_place(load(None, {}), tmp_path)


def uncommented() -> str:
    """The template with its examples switched on."""
    return re.sub(r"^# (\[\[?\w+\]\]?|\w+ = .*)$", r"\1", template(), flags=re.MULTILINE)


def test_the_templates_examples_are_valid_too(tmp_path: Path) -> None:
    settings = load(write(tmp_path, uncommented()), {})
    assert {channel.name for channel in settings.channels} >= {"console", "research-slack", "weekly-mail"}
    assert settings.board("text").where == "pipeline_tag = 'text-generation'"


@pytest.mark.parametrize("section", [*SECTIONS, *(name for name in LISTS if name != "channel")])
def test_the_template_names_every_key(section: str) -> None:
    model = SECTIONS.get(section) or LISTS[section]
    parts = re.split(r"^\[+(\w+)\]+.*$", uncommented(), flags=re.MULTILINE)
    text = "\n".join(body for name, body in zip(parts[1::2], parts[2::2], strict=True) if name == section)
    assert [key for key in keys_of(model) if not re.search(rf"^#? ?{key} = |\bor {key}\b", text, re.MULTILINE)] == []


def test_the_template_names_every_type_of_channel() -> None:
    kinds = CHANNELS.keys() - {"memory"}  # a double, for tests
    assert [kind for kind in kinds if not re.search(rf"\b{kind}\b", template())] == []
