"""Secrets show nowhere, whatever fails: no log, row, file, answer on the command line or traceback holds any of them.

Every channel, and the Hub, is given a secret and made to fail in every way; the other side echoes what it was sent.
"""

from __future__ import annotations

import base64
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fake_web import SILENCE, Answer, Asked, FakeWeb, running
from spine import configure, hub, listed, moment
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.channels import slack
from monitor import logs
from monitor.cli import app as cli
from monitor.demo.hub import LocalHub
from monitor.job import Work
from monitor.web.published import Published
from monitor.web.serve import serving
from monitor.wiring import open_app
from warehouse.db import Database
from warehouse.published.browsing import Browsing

ROOT = Path(__file__).parent.parent

HUB_TOKEN = "hf_ThisIsTheTokenOfTheHub"
SLACK_PATH = "T00SLACK0/B00SLACK0/theSlackWebhookSecret"
BOT_TOKEN = "xoxb-1234567890-theBotTokenSecret"
HOOK_PATH = "theGenericWebhookSecret"
HOOK_QUERY = "theQuerySecret"
SIGNING = "theSigningSecretOfTheWebhook"
PASSWORD = "theMailPasswordSecret"
APPRISE = "theAppriseSecretToken"

SECRETS = (
    HUB_TOKEN, SLACK_PATH, BOT_TOKEN, HOOK_PATH, HOOK_QUERY, SIGNING, PASSWORD, APPRISE,
    base64.b64encode(f"\0monitor\0{PASSWORD}".encode()).decode(), base64.b64encode(PASSWORD.encode()).decode(),
)  # fmt: skip

CHANNELS = """
[[rule]]
name = "everybody"
board = "families"
confirm = 1
channels = ["slack", "bot", "hook", "mail", "service", "console"]

[[channel]]
name = "slack"
type = "slack"
url_env = "SECRET_SLACK"
timeout = 0.3

[[channel]]
name = "bot"
type = "slack-bot"
token_env = "SECRET_BOT"
channel = "C0123456789"
endpoint = "{api}"
timeout = 0.3

[[channel]]
name = "hook"
type = "webhook"
url_file = "{folder}/hook"
secret_env = "SECRET_SIGNING"
allow_private = true
timeout = 0.3

[[channel]]
name = "mail"
type = "email"
host = "127.0.0.1"
port = {smtp}
tls = "implicit"
username = "monitor"
password_env = "SECRET_PASSWORD"
from = "monitor@example.org"
to = ["desk@example.org"]
timeout = 1

[[channel]]
name = "service"
type = "apprise"
url_env = "SECRET_APPRISE"
"""


def echo(asked: Asked) -> str:
    """Everything that was sent, as a careless server or proxy would print it into its error page."""
    return f"{asked.method} {asked.path} {json.dumps(asked.headers)} {asked.body.decode('utf-8', 'replace')[:300]}"


def refusing(status: int) -> Callable[[Asked], Answer]:
    return lambda asked: (status, echo(asked).encode(), {"Retry-After": "0"})


WAYS: dict[str, Callable[[Asked], Answer]] = {
    "500": refusing(500),
    "400": refusing(400),
    "404": refusing(404),
    "429": refusing(429),
    "200 with an error page": refusing(200),
    "a redirect": lambda asked: (302, b"", {"Location": f"http://127.0.0.1:9{asked.path}?{HOOK_QUERY}"}),
    "silence": lambda _: (200, SILENCE, {}),
}


class World:
    """A configuration with every kind of channel, and what everything that it does leaves behind."""

    def __init__(self, folder: Path, local: LocalHub, web: FakeWeb, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.hub, self.web, self.capsys = folder, local, web, capsys
        self.said: list[str] = []
        with closing(socket.create_server(("127.0.0.1", 0))) as unused:
            smtp = unused.getsockname()[1]
        (folder / "hook").write_text(f"http://127.0.0.1:{web.port}/{HOOK_PATH}?key={HOOK_QUERY}")
        more = CHANNELS.replace("{api}", f"http://127.0.0.1:{web.port}/api/").replace("{folder}", str(folder))
        self.file = configure(folder, local.endpoint, more=more.replace("{smtp}", str(smtp)))

    def run(self, *arguments: str) -> int:
        """A command; what it says is kept."""
        code = cli.run(["--config", str(self.file), *arguments])
        self.said += self.capsys.readouterr()
        return code

    def everything(self) -> str:
        """All that was said and all that was written."""
        kept = [*self.said, *self.capsys.readouterr()]
        kept += [file.read_bytes().decode("latin-1") for file in self.folder.glob("*.duckdb*")]
        with Database.open(self.folder / "warehouse.duckdb") as db:
            kept += [str(db.rows(f"FROM {table}")) for (table,) in db.rows("SELECT table_name FROM duckdb_tables()")]
        with Database.open_published(self.folder / "adoption.duckdb") as db:
            names = db.rows("SELECT table_name FROM information_schema.tables")
            kept += [str(db.rows(f"FROM {name}")) for (name,) in names]
        kept += [file.read_text("utf-8", "replace") for file in (self.folder / "outbox").glob("*")]
        return "\n".join(kept)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook)
    web = FakeWeb()
    with hub() as local, running(web):
        monkeypatch.setenv("HF_TOKEN", HUB_TOKEN)
        monkeypatch.delenv("HF_ENDPOINT", raising=False)
        monkeypatch.setenv("SECRET_SLACK", f"http://127.0.0.1:{web.port}/services/{SLACK_PATH}")
        monkeypatch.setenv("SECRET_BOT", BOT_TOKEN)
        monkeypatch.setenv("SECRET_SIGNING", SIGNING)
        monkeypatch.setenv("SECRET_PASSWORD", PASSWORD)
        monkeypatch.setenv("SECRET_APPRISE", f"json://user:{APPRISE}@127.0.0.1:{web.port}/{HOOK_PATH}")
        yield World(tmp_path, local, web, capsys)
    root.handlers, root.level, sys.excepthook = before


def flipped(world: World) -> None:
    """Beta leads since today; nobody was told yet."""
    from monitor import config

    settings = config.load(world.file)
    settings = replace(settings, boards=settings.boards[:1])
    for number, beta in enumerate((50, 150)):
        world.hub.show(listed(90, beta))
        with open_app(settings, now=lambda number=number: moment(number)) as app:  # type: ignore[misc]
            app.collect()
            app.detect()


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text or json.dumps(secret)[1:-1] in text]


def test_no_channel_shows_its_secret_however_it_fails(world: World) -> None:
    flipped(world)
    for way, answer in WAYS.items():
        world.web.usual = answer
        assert world.run("deliver") in (0, 4), way
        world.run("deliveries", "retry")
    for name in ("hook", "mail"):
        world.run("send-test", name)
    world.run("deliveries", "--format", "json")
    world.run("alerts", "--format", "json")
    asked = " ".join(echo(one) for one in world.web.asked)
    assert SLACK_PATH in asked
    assert BOT_TOKEN in asked
    text = world.everything()
    assert "who-leads" in text
    assert leaks(text) == []


def test_a_bug_in_a_channel_leaves_a_traceback_without_its_secret(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flipped(world)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot post to https://hooks.example.org/services/{SLACK_PATH}")

    monkeypatch.setattr(slack.Slack, "_post", broken)
    world.run("deliver")
    assert "RuntimeError" in caplog.text
    assert "self._post(" in caplog.text
    assert leaks(world.everything() + caplog.text) == []


def careless(request: Request) -> Response:
    return JSONResponse({"error": f"bad credentials: {request.headers.get('authorization')}"}, status_code=401)


def elsewhere(request: Request) -> Response:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Response(status_code=302, headers={"location": f"http://127.0.0.1:9/?token={token}"})


def not_json(request: Request) -> Response:
    return Response(f"<html>{dict(request.headers)}</html>", media_type="text/html")


def test_the_hub_that_echoes_its_token_is_quoted_without_it(world: World) -> None:
    flipped(world)
    seen = []
    for fault in (careless, elsewhere, not_json):

        def spy(request: Request, fault: Callable[[Request], Response] = fault) -> Response:
            seen.append(request.headers.get("authorization"))
            return fault(request)

        world.hub.faults[:] = [spy]
        assert world.run("collect") == 3
    assert world.run("check") in (2, 3)
    assert f"Bearer {HUB_TOKEN}" in seen
    assert leaks(world.everything()) == []


def test_the_daemon_logs_no_secret(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from monitor import config

    flipped(world)
    world.web.usual = refusing(500)
    world.hub.faults.append(careless)
    logs.configure(json_lines=True, level=logging.DEBUG)
    with open_app(config.load(world.file), now=lambda: moment(2)) as app:
        work = Work(app)
        for name in work.plan():
            work.turn(name, "* * * * *")

        def bug() -> str:
            raise ValueError(f"https://hooks.slack.com/services/{SLACK_PATH} and Bearer {HUB_TOKEN} and {BOT_TOKEN}")

        work.turn("bug", "* * * * *", bug)
    logged = capsys.readouterr().err
    assert "bug failed" in logged
    assert "[secret]" in logged
    world.said.append(logged)
    assert leaks(world.everything()) == []


def test_a_bug_of_the_dashboard_is_a_line_of_the_log_without_a_secret(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from monitor import config

    def bug(*_: object, **__: object) -> None:
        raise ValueError(f"https://hooks.slack.com/services/{SLACK_PATH} and Bearer {HUB_TOKEN} and {BOT_TOKEN}")

    flipped(world)
    capsys.readouterr()
    monkeypatch.setattr(Browsing, "newest_flips", bug)
    world.file.write_text(world.file.read_text() + "\n[web]\nport = 0\n")
    settings = config.load(world.file)
    logs.configure(json_lines=True)
    with serving(settings, Published(settings.warehouse.publish)) as address:
        assert httpx.get(f"{address}flips").status_code == 500
    logged = capsys.readouterr().err
    assert [json.loads(line)["level"] for line in logged.splitlines()] == ["error"]
    assert "Traceback" in logged
    world.said.append(logged)
    assert leaks(world.everything()) == []


def test_a_configuration_with_a_secret_in_it_is_refused_without_repeating_it(world: World) -> None:
    text = world.file.read_text()
    world.file.write_text(text.replace('password_env = "SECRET_PASSWORD"', f'password = "{PASSWORD}"'))
    assert world.run("check") == 2
    world.file.write_text(text.replace('token_env = "SECRET_BOT"', f'token = "{BOT_TOKEN}"'))
    assert world.run("check") == 2
    world.file.write_text(
        text.replace('url_env = "SECRET_SLACK"', f'url = "https://hooks.slack.com/services/{SLACK_PATH}"')
    )
    assert world.run("check") == 2
    assert leaks("".join(world.said)) == []
    assert "_env" in "".join(world.said)


def test_a_secret_in_the_place_of_a_name_is_refused_without_repeating_it(world: World) -> None:
    """As happens to who copies the URL into `url_env`."""
    text = world.file.read_text()
    places = {
        'password_env = "SECRET_PASSWORD"': f'password_env = "{PASSWORD} "',
        'token_env = "SECRET_BOT"': f'token_env = "{BOT_TOKEN}"',
        'url_env = "SECRET_SLACK"': f'url_env = "https://hooks.slack.com/services/{SLACK_PATH}"',
        'url_env  = "SECRET_SLACK"': f'url_file = "https://hooks.slack.com/services/{SLACK_PATH}"',
    }
    for written, pasted in places.items():
        world.file.write_text(text.replace(written.replace("  ", " "), pasted))
        assert world.run("check") == 2
        assert world.run("deliver") == 2
    said = "".join(world.said)
    assert leaks(said) == []
    assert said.count("names an environment variable; what is written is no such name") == 6
    assert said.count("names a file; what is written is no such name") == 2


def test_settings_and_channels_do_not_show_their_secrets_when_printed(world: World) -> None:
    from monitor import config
    from monitor.wiring import build_all

    settings = config.load(world.file)
    channels, broken = build_all(settings.channels)
    assert broken == []
    shown = [repr(settings), *(repr(channel) + repr(vars(channel)) for channel in channels.values())]
    assert leaks("".join(shown)) == []


def test_a_traceback_that_nobody_caught_is_printed_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.excepthook
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        logs.configure()
        error = ValueError(f"POST https://hooks.slack.com/services/{SLACK_PATH} with {BOT_TOKEN}")
        sys.excepthook(ValueError, error, None)
    finally:
        sys.excepthook = before
        root.handlers, root.level = handlers, level
    said = capsys.readouterr().err
    assert "ValueError: POST [secret] with [secret]" in said.replace("https://", "")


BUG = """
import sys
from alerts.channels import webhook
from monitor.cli import app as cli

def careless(self, message):
    raise RuntimeError(f"cannot post to {self._url.get_secret_value()} for {vars(self)}") from KeyError(
        str(self._secret.get_secret_value()))

webhook.Webhook.send = careless
sys.argv = ["leadchange", *sys.argv[1:]]
cli.main()
"""


def test_a_bug_on_the_command_line_keeps_its_traceback_and_shows_no_secret(world: World) -> None:
    """The text of the error, and of the one that caused it, quote a webhook's URL and its signing secret."""
    command = [sys.executable, "-c", BUG, "--config", str(world.file), "send-test", "hook"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert done.returncode == 1
    assert "KeyError: '[secret]'" in done.stderr
    assert "RuntimeError: cannot post to [secret]" in done.stderr
    assert "in send_test" in done.stderr
    assert leaks(done.stdout + done.stderr) == []
