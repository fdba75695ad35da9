"""What every process of the tests does first: it keeps to one thread, for there is a process for every processor."""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when polars is imported, and by the programs that are started

from warehouse import db

db._NO_EXTENSIONS["threads"] = "1"
