"""The verbs, one file each: `run(..., now) -> Summary`.

Hub --walk--> collect --> snapshot and observations, with a verdict --> standings
                                                                           |
                                     detect: engine.step over the standings, flips, alerts, outbox
                                                                           |
                                     deliver: channels --> Slack, email, ...
"""
