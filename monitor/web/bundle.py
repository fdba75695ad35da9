"""Make `static/vega.js.gz` anew: Vega and its kin as vl-convert ships them, so that no page asks another origin.

It is kept packed in the package, not made at start: making it takes V8, and 120 MB that a daemon should not hold.
"""

from __future__ import annotations

import gzip

import vl_convert

from monitor.web.view import HERE

TARGET = HERE / "static" / "vega.js.gz"


def bundle() -> bytes:
    """The libraries as one script that sets `vegaEmbed`."""
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub knows no defaults
    return script.encode()


def main() -> None:
    """Write the packed script."""
    TARGET.write_bytes(gzip.compress(bundle(), 9, mtime=0))


if __name__ == "__main__":
    main()
