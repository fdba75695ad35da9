"""What every route knows: the published file, the clock, how the monitor is doing, and where the site is seen from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version

from monitor.health import Health, judge
from monitor.web.published import Published
from monitor.web.under import link, root_of
from warehouse.errors import WarehouseError
from warehouse.published.browsing import Browsing
from warehouse.published.reading import Rows
from warehouse.published.sandbox import Limits


@dataclass
class Site:
    """The dashboard's surroundings."""

    published: Published
    now: Callable[[], datetime]
    daemon: Callable[[], Health] | None = None
    """What the daemon says of itself; None where the pages are served without one."""
    public_url: str | None = None
    """Where people find this site; its path is that of all links, and None stands for where the request went."""
    limits: Limits = field(default_factory=Limits)
    version: str = field(default_factory=lambda: version("leadchange"))

    def link(self, *parts: str, **query: object) -> str:
        """The address of a page of this site, on its host: `link("board", name, top=100)`."""
        return link(root_of(self.public_url), *parts, **query)

    def health(self) -> Health:
        """The daemon's word, or what the file alone says."""
        return self.daemon() if self.daemon else self.file_health()

    def file_health(self) -> Health:
        """How the published file is doing by itself."""
        try:
            return judge(self.published.facts(self.now()))
        except WarehouseError as error:
            return Health(False, (str(error),), None)

    def leaders(self) -> Rows:
        """Every board, and who leads it; worked out once for each state of the file."""
        return self.published.once("leaders", Browsing.leaders)

    def state(self) -> str:
        """Changes whenever a page would look different: also at midnight, for a query may ask what day it is."""
        health = self.file_health()
        return f"{self.published.identity()} {health.reasons} {health.notes} {self.now():%Y-%m-%d}"
