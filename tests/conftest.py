"""What every process of the tests does first: it keeps to one thread, for there is a process for every processor.

Nor does it wait for the disk: what a test writes need not outlive a power cut, only the process.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when polars is imported, and by the programs that are started

from warehouse import db

db._NO_EXTENSIONS |= {"threads": "1", "fsync_mode": "NONE"}
