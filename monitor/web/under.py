"""Where the site stands: at the root of its host, or under a path of it that a proxy in front gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

Scope = dict[str, Any]
App = Callable[..., Any]


class Under:
    """The outermost layer: has the site stand under a path, be it that the proxy passed that path on or took it off.

    Whoever asks without it, on the own machine say, is answered too. A slash at the end makes no other page: who
    redirects from it must know how the proxy is called from outside.
    """

    def __init__(self, app: App, root: str) -> None:
        self.app = app
        self.root = root

    async def __call__(self, scope: Scope, receive: App, send: App) -> None:
        """Pass a request on as ASGI wants it: the path with the root, and the root beside it."""
        if scope["type"] == "http":
            path = _below(self.root, scope["path"]).rstrip("/") or "/"
            scope = {**scope, "root_path": self.root, "path": self.root + path}
        await self.app(scope, receive, send)


def within(scope: Mapping[str, Any]) -> str:
    """The path that is asked for on the site itself, wherever that stands."""
    return _below(scope.get("root_path", ""), scope["path"])


def _below(root: str, path: str) -> str:
    return path[len(root) :] or "/" if f"{path}/".startswith(f"{root}/") else path


def root_of(public_url: str | None) -> str:
    """The path under which the site stands: `/leadchange` for `https://lab.example/leadchange/`; empty at the root."""
    return urlsplit(public_url or "").path.rstrip("/")


def link(root: str, *parts: str, **query: object) -> str:
    """The address of a page on the site: every part and value quoted; what is None or empty is not asked for."""
    path = "/".join(quote(str(part), safe="") for part in parts)
    asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return f"{root}/{path}{asked and '?'}{asked}"
