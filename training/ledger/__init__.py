"""The append-only, hash-chained record of what was registered, judged, promoted and served, by whom and why.

`entry` says what an entry is, `ledger` appends and reads in SQLite or PostgreSQL, `head` keeps the newest
digest outside the database, `audit` finds what was changed, `serving` answers who served at a time.
What the chain proves and what it cannot is in docs/ledger.md.
"""
