"""The verbs, one file each: `run(..., now) -> Summary`.

Hub --walk--> collect --> snapshot and observations, with a verdict --> standings
                                                                           |
                                     detect: engine.step over the standings, flips, alerts, outbox
                                                                           |
                                     deliver: channels --> Slack, email, ...

    telling   what they tell, and in which order it goes out
    history   where history comes from
"""

import sys

# httpx looks for a command line of its own, and with it imports rich, click and Pygments: more than all the rest of it.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: it is not to be had
