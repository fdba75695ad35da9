"""Where channels get their secrets: an environment variable or a file, never the configuration itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from alerts.masking import looks_secret, remember
from alerts.text import plain
from warehouse.errors import LeadchangeError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_SECRET_PART = 6
"""Characters from which on a part of a secret URL is taken for a secret itself."""


_NO_NAME = "what is written is no such name: a secret is never written here"


def _names_a_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name) or looks_secret(name):
        raise ValueError(f"names an environment variable; {_NO_NAME}")
    return name


def _names_a_file(path: object) -> object:
    if isinstance(path, str) and ("://" in path or looks_secret(path)):
        raise ValueError(f"names a file; {_NO_NAME}")
    return path


Variable = Annotated[str, AfterValidator(_names_a_variable)]
"""Where a secret is: the name of an environment variable. The secret itself in its place is refused, not repeated."""

SecretFile = Annotated[Path, BeforeValidator(_names_a_file)]
"""Where a secret is: the path of a file. The secret itself in its place is refused, not repeated."""


class SecretError(LeadchangeError):
    """A secret that is not where the configuration says it is."""


def read_secret(env: str | None, file: Path | None, what: str) -> SecretStr:
    """The secret in the environment variable `env`, else in the file `file`, without surrounding white space.

    Args:
        env: name of an environment variable.
        file: path of a file holding nothing else.
        what: what the secret is and for whom, for the error: "webhook URL of channel 'desk'".

    Raises:
        SecretError: it is missing, empty, unreadable or more than one line. The message never shows a secret.
    """
    if env is not None:
        value, place = os.environ.get(env, ""), f"the environment variable {env}"
    elif file is not None:
        value, place = _read(file, what), f"the file {file}"
    else:
        raise SecretError(f"the {what} is configured nowhere: name an environment variable or a file")
    value = value.strip()
    if not value:
        raise SecretError(f"the {what} is missing: {place} is not set or empty")
    if not value.isprintable():
        raise SecretError(f"the {what} is unusable: {place} holds more than one line, or control characters")
    remember(value)
    return SecretStr(value)


def redacted(text: object, secrets: Iterable[SecretStr | None]) -> str:
    """What a stranger said, as one short line without the secrets, or the parts of those that are URLs."""
    line = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    for secret in secrets:
        value = secret.get_secret_value() if secret is not None else ""
        parts = re.split(r"[/?&=#:@,;\s]+", value) if "://" in value else []
        for part in sorted({value, *parts}, key=len, reverse=True):
            if part == value or len(part) >= _SECRET_PART:
                line = line.replace(part, "***") if part else line
    return plain(line, 200)


def _read(file: Path, what: str) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretError(f"the {what} cannot be read from the file {file}: {reason}") from None
