"""What every process of the tests does first: it keeps to one thread, for there is one for every processor and more.

Nor does it wait for the disk: what a test writes need not outlive a power cut, only the process.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import cache

import httpx
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when polars is imported, and by the programs that are started

from warehouse import db

db._NO_EXTENSIONS |= {"threads": "1", "fsync_mode": "NONE"}

# Reading the authorities to trust takes as long as the question to a local server that a test has for it.
httpx._transports.default.create_ssl_context = cache(httpx.create_ssl_context)

TOGETHER = {
    "tests/test_backtests.py": "the demo",
    "tests/test_demo.py": "the demo",
    "tests/test_forecasts.py": "the demo",
    "tests/test_monitor_share.py": "the demo",
    "tests/test_monitor_web_browser.py": "the browser",
    "tests/test_set_aside.py": "the wrong clock",
    "tests/test_warehouse_verdict_measured.py": "the longest",
}
"""Files that one process runs, from the beginning, while the others go on: those that ask about the demo, that share a
browser or a history, and that everybody would wait for at the end."""


class Scheduling(LoadScopeScheduling):
    """Each test to whoever is free, but for those that belong together; these come first, for they are more than one.

    `xdist_group` would say the same, but the marks of pytest 9 do not reach the xdist of today.
    """

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0], nodeid)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One process more than there are processors: a sixth of their time they wait, for a browser, a daemon, a Hub."""
    return (yield) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
