"""The decision: `plan(snapshot, now)` says what to do next, and does nothing itself.

Values in, values out. No clock, client, thread or log lives here, so that every crash point of
every release can be played in a test.
"""
