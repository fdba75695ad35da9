"""The folder receives what the others send; all channels are registered; no secret shows."""

from __future__ import annotations

import io
import json
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from alert_samples import HOSTILE, sent

import alerts.channels
from alerts.channels import CHANNELS, ChannelError, ChannelSettings, slackwire
from alerts.channels.console import Console, ConsoleSettings
from alerts.channels.folder import Folder, FolderSettings
from alerts.channels.secrets import read_secret
from warehouse.errors import LeadchangeError

SAMPLES: dict[str, dict[str, Any]] = {
    "console": {},
    "slack": {"url_env": "A_SECRET"},
    "slack-bot": {"token_env": "A_SECRET", "channel": "C0123456789"},
    "email": {
        "host": "smtp.example.org",
        "from": "monitor@example.org",
        "to": ["desk@example.org"],
        "username": "monitor",
        "password_env": "A_SECRET",
    },
    "webhook": {"url_env": "A_SECRET", "allow_private": True},
    "apprise": {"url_env": "A_SECRET"},
    "folder": {"path": "outbox"},
    "memory": {},
}
SECRETS = {"apprise": "json://127.0.0.1:1/services/hunter2"}


def folder(path: Path) -> Folder:
    return Folder(FolderSettings(name="outbox", path=path))


def test_a_folder_gets_exactly_what_slack_and_a_mail_server_would(tmp_path: Path) -> None:
    message = sent(picture=b"\x89PNG")
    receipt = folder(tmp_path / "new" / "box").send(message)
    stem = "2026-08-21-9f3ac2d1e07b55aa9f3ac2d1e07b55aa"
    assert receipt.id == stem
    assert sorted(path.name for path in (tmp_path / "new" / "box").iterdir()) == [f"{stem}.eml", f"{stem}.slack.json"]
    assert json.loads((tmp_path / "new" / "box" / f"{stem}.slack.json").read_text()) == slackwire.payload(message)
    mail = message_from_bytes((tmp_path / "new" / "box" / f"{stem}.eml").read_bytes(), policy=default)
    assert mail["Subject"] == message.title


def test_sending_twice_leaves_the_same_bytes_and_no_drafts(tmp_path: Path) -> None:
    def look() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    folder(tmp_path).send(sent(picture=b"\x89PNG"))
    before = look()
    folder(tmp_path).send(sent(picture=b"\x89PNG"))
    assert look() == before
    assert len(before) == 2


@pytest.mark.parametrize("name", [*HOSTILE, "../../etc/passwd", "/etc/passwd", "a/b"])
def test_no_identifier_leaves_the_folder(tmp_path: Path, name: str) -> None:
    folder(tmp_path / "box").send(sent(alert_id=name, entity=name))
    assert len(list((tmp_path / "box").iterdir())) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "box"]


def test_a_folder_that_cannot_be_written_may_be_mended(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ChannelError, match="cannot write to") as caught:
        folder(tmp_path / "file").send(sent())
    assert not caught.value.permanent


def test_the_console_writes_the_text_without_escape_sequences() -> None:
    stream = io.StringIO()
    Console(ConsoleSettings(name="console"), stream).send(sent(entity="Q\x1b[2Jwen", title=""))
    assert stream.getvalue().startswith("Q [2Jwen takes the lead from Llama on families\n")
    assert "\x1b" not in stream.getvalue()
    assert "  Ahead by   1.8%" in stream.getvalue()


def test_the_console_never_wraps_a_line() -> None:
    stream = io.StringIO()
    Console(ConsoleSettings(name="console"), stream).send(sent(definition="word " * 60))
    assert "word " * 59 in stream.getvalue()


def test_the_console_finds_standard_output_when_it_sends(capsys: pytest.CaptureFixture[str]) -> None:
    Console(ConsoleSettings(name="console")).send(sent())
    assert "Qwen takes the lead" in capsys.readouterr().out


def test_the_title_stands_out_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    Console(ConsoleSettings(name="console"), stream).send(sent(title="A \x1b[31mtitle"))
    assert stream.getvalue().startswith("\x1b[1mA [31mtitle\x1b[0m\n")


def test_a_console_that_is_gone_is_an_error_of_the_channel() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(ChannelError, match="Broken pipe"):
        Console(ConsoleSettings(name="console"), Gone()).send(sent())


# Every channel there is.


def test_every_settings_model_is_registered_under_its_type() -> None:
    assert {settings for settings, _ in CHANNELS.values()} == set(ChannelSettings.__subclasses__())
    for name, (settings, _) in CHANNELS.items():
        assert settings.model_fields["type"].default == name


def test_every_file_of_a_channel_is_registered() -> None:
    helpers = {
        "__init__",
        "base",
        "secrets",
        "mailserver",
        "mailform",
        "mailsettings",
        "deadline",
        "guard",
        "poster",
        "slackwire",
        "slack_api",
        "slack_hook",
    }
    files = {path.stem for path in Path(alerts.channels.__file__).parent.glob("*.py")} - helpers
    assert files == {channel.__module__.rpartition(".")[2] for _, channel in CHANNELS.values()}


@pytest.mark.parametrize("kind", CHANNELS)
def test_unknown_keys_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        CHANNELS[kind][0].model_validate({"name": "x", "type": kind, **SAMPLES[kind], "colour": "red"})


@pytest.mark.parametrize("kind", CHANNELS)
def test_settings_are_valid_before_any_secret_is_there(kind: str) -> None:
    CHANNELS[kind][0].model_validate({"name": "x", "type": kind, **SAMPLES[kind]})


@pytest.mark.parametrize("kind", [kind for kind in CHANNELS if "A_SECRET" in SAMPLES[kind].values()])
def test_a_missing_secret_is_one_line_that_names_the_place(kind: str) -> None:
    settings, build = CHANNELS[kind]
    with pytest.raises(LeadchangeError, match="A_SECRET is not set") as caught:
        build(settings.model_validate({"name": "x", **SAMPLES[kind]}))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("kind", CHANNELS)
def test_no_secret_shows_in_a_channel(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRETS.get(kind, "http://127.0.0.1:1/services/hunter2"))
    settings, build = CHANNELS[kind]
    channel = build(settings.model_validate({"name": "x", **SAMPLES[kind]}))
    for shown in (repr(channel), str(channel), str(vars(channel)), repr(settings), str(SAMPLES)):
        assert "hunter2" not in shown


def test_a_secret_of_a_file_loses_its_line_end_only(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" hunter 2\n")
    assert read_secret(None, tmp_path / "secret", "password").get_secret_value() == "hunter 2"


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2\nhunter3", b"hunter2\x00", b"\xffhunter2", None])
def test_a_useless_secret_is_one_line_that_does_not_show_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LeadchangeError, match="the password") as caught:
        read_secret(None, file, "password")
    assert "hunter" not in str(caught.value)
    assert "\n" not in str(caught.value)
