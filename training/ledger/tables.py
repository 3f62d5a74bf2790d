"""The ledger's two tables, and the triggers by which the database itself refuses to change an entry.

`hilum_ledger` holds the entries; times and facts are text, byte for byte as they were digested.
`hilum_ledger_head` holds one row, the newest entry's number and digest: writers queue for that row,
and an entry removed from the end of the first table is missed in the second.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
)

from training.ledger.entry import GENESIS

_METADATA = MetaData()

ENTRIES = Table(
    "hilum_ledger",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
"""The entries."""

HEAD = Table(
    "hilum_ledger_head",
    _METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("digest", Text, nullable=False),
)
"""The newest entry's number and digest, in one row; number 0 while there is none."""

_SQLITE = (
    """CREATE TRIGGER hilum_ledger_follows BEFORE INSERT ON hilum_ledger
    WHEN NEW.number IS NOT (SELECT number + 1 FROM hilum_ledger_head)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: this is not the next entry'); END""",
    """CREATE TRIGGER hilum_ledger_no_update BEFORE UPDATE ON hilum_ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER hilum_ledger_no_delete BEFORE DELETE ON hilum_ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER hilum_ledger_head_advances BEFORE UPDATE ON hilum_ledger_head
    WHEN NEW.number IS NOT OLD.number + 1
    BEGIN SELECT RAISE(ABORT, 'the head of the ledger only advances'); END""",
    """CREATE TRIGGER hilum_ledger_head_once BEFORE INSERT ON hilum_ledger_head
    WHEN EXISTS (SELECT 1 FROM hilum_ledger_head)
    BEGIN SELECT RAISE(ABORT, 'the ledger has one head'); END""",
    """CREATE TRIGGER hilum_ledger_head_stays BEFORE DELETE ON hilum_ledger_head
    BEGIN SELECT RAISE(ABORT, 'the ledger has one head'); END""",
)
# The triggers on INSERT are what stops SQLite's INSERT OR REPLACE, which deletes without a delete trigger.

_POSTGRESQL = (
    """CREATE FUNCTION hilum_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    """CREATE FUNCTION hilum_ledger_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.number IS DISTINCT FROM (SELECT number + 1 FROM hilum_ledger_head) THEN
        RAISE EXCEPTION 'the ledger is append-only: this is not the next entry';
      END IF;
      RETURN NEW;
    END $$""",
    """CREATE FUNCTION hilum_ledger_head_advances() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.number IS DISTINCT FROM OLD.number + 1 THEN
        RAISE EXCEPTION 'the head of the ledger only advances';
      END IF;
      RETURN NEW;
    END $$""",
    """CREATE TRIGGER hilum_ledger_follows BEFORE INSERT ON hilum_ledger
    FOR EACH ROW EXECUTE FUNCTION hilum_ledger_follows()""",
    """CREATE TRIGGER hilum_ledger_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON hilum_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION hilum_ledger_refuse()""",
    """CREATE TRIGGER hilum_ledger_head_advances BEFORE UPDATE ON hilum_ledger_head
    FOR EACH ROW EXECUTE FUNCTION hilum_ledger_head_advances()""",
    """CREATE TRIGGER hilum_ledger_head_stays BEFORE DELETE OR TRUNCATE ON hilum_ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION hilum_ledger_refuse()""",
)

_TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}


def have_tables(connection: Connection) -> bool:
    """Whether the ledger was made in this database."""
    return inspect(connection).has_table(HEAD.name)


def make_tables(connection: Connection) -> None:
    """Make the ledger where there is none, in a transaction that keeps other makers out."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('hilum_ledger'))")
    if have_tables(connection):
        return
    _METADATA.create_all(connection, checkfirst=False)
    for statement in _TRIGGERS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
    connection.execute(insert(HEAD).values(id=1, number=0, digest=GENESIS))
