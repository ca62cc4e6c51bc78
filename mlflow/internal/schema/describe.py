"""Prints mlflow/internal/schema/mlflow.txt from databases that MLflow itself made.

    mlflow db upgrade sqlite:////tmp/new.db
    mlflow db upgrade postgresql://postgres@127.0.0.1/new
    python mlflow/internal/schema/describe.py /tmp/new.db postgresql://postgres@127.0.0.1/new > mlflow/internal/schema/mlflow.txt

SQLite tells tables, columns and constraints, as the text that MLflow created them with. PostgreSQL adds what
only it has: keys that it counts itself, and the tails of indexes. What neither form can say ends the script.
"""

import re
import sqlite3
import sys

import psycopg

HEAD = """\
# MLflow's database as `mlflow db upgrade` of MLflow %s leaves it.
# Printed by mlflow/internal/schema/describe.py; doc.go says how to read it.
"""
TYPES = {"BIGINT": "i64", "INTEGER": "i32", "FLOAT": "f64", "BOOLEAN": "bool",
         "TEXT": "text", "JSON": "json", "BLOB": "blob", "DATE": "date"}
ORDER = ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


def items(body):
    """The parts of a CREATE TABLE between commas that no parenthesis or quote encloses."""
    part, depth, quoted = "", 0, False
    for c in body:
        quoted ^= c == "'"
        depth += 0 if quoted else {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0 and not quoted:
            yield " ".join(part.split())
            part = ""
        else:
            part += c
    yield " ".join(part.split())


def full(pattern, text):
    m = re.fullmatch(pattern, text, re.I)
    if not m:
        sys.exit(f"cannot describe: {text}")
    return m.groups()


def column(text, counted):
    name, kind, generated, default, required = full(
        r"(\w+) (\w+(?:\(\d+\))?)(?: GENERATED ALWAYS AS \((.*)\) STORED)?(?: DEFAULT ('[^']*'|\d+))?( NOT NULL)?", text)
    short = re.sub(r"VARCHAR\((\d+)\)", r"s\1", kind)
    line = f"  {name} {counted.get(name) or TYPES.get(short, short)}"
    if not required:
        line += " null"
    if default:
        line += f" default {default}"
    if generated:
        line += f" = {generated}"
    return line


def constraint(text):
    name, rest = full(r"(?:CONSTRAINT (\w+) )?(.*)", text)
    name = name or "-"
    kind = rest.split("(")[0].strip()
    if kind in ("PRIMARY KEY", "UNIQUE"):
        return f"  {kind.split()[0]} {name} {rest[len(kind):].strip()}"
    if kind == "CHECK":
        column, values = full(r"CHECK \((\w+) (IN \([^()]*\))\)", rest)
        only = "sqlite " if values == "IN (0, 1)" else ""  # PostgreSQL has a real boolean type
        return f"  CHECK {name} {only}{column} {values}"
    columns, table, keys, actions = full(r"FOREIGN KEY(\(.*?\)) REFERENCES (\w+) (\(.*?\))(.*)", rest)
    return f"  FOREIGN {name} {columns} {table} {keys}{actions}"


def index(sql, tails):
    unique, name, columns = full(r"CREATE( UNIQUE)? INDEX (\w+) ON \w+ (\(.*\))", sql)
    return f"  INDEX {name}{(unique or '').lower()} {columns}" + (f" postgres {tails[name]}" if name in tails else "")


def trigger(sql):
    name, columns, message = re.search(
        r"TRIGGER (\w+)\s+BEFORE UPDATE ON \w+\s+FOR EACH ROW\s+WHEN (.*)\s+BEGIN\s+SELECT RAISE\(ABORT, ('[^']*')\);\s+END",
        sql).groups()
    fixed = [full(r"OLD\.(\w+) != NEW\.\1", c)[0] for c in columns.split(" OR ")]
    return f"  FIXED {name} ({', '.join(fixed)}) {message}"


def value(v):
    return "null" if v is None else str(v) if isinstance(v, int) else "'" + v.replace("'", "''") + "'"


def postgres(uri):
    """{table: {column: type}} of counted keys, {index: what follows its columns}."""
    counted, tails = {}, {}
    with psycopg.connect(uri) as db:
        for table, name, default, identity in db.execute(
                "select table_name, column_name, column_default, is_identity from information_schema.columns"
                " where table_schema = 'public'"):
            if identity == "YES":
                counted.setdefault(table, {})[name] = "identity"
            elif default and default.startswith("nextval("):
                counted.setdefault(table, {})[name] = "serial"
        for name, sql in db.execute("select indexname, indexdef from pg_indexes where schemaname = 'public'"):
            m = re.search(r" ((?:INCLUDE|WHERE) .*)", sql)
            if m:
                tails[name] = m[1]
    return counted, tails


def main(path, uri):
    counted, tails = postgres(uri)
    db = sqlite3.connect(path)
    import mlflow.version
    print(HEAD % mlflow.version.VERSION, end="")
    for (table, sql) in db.execute("select name, sql from sqlite_master where type = 'table' order by name").fetchall():
        body = re.fullmatch(r'CREATE TABLE "?\w+"? \((.*)\)', sql.replace("\n", " "))[1].replace('"', "")
        print(f"\n{table}")
        parts = list(items(body))
        kinds = ("CONSTRAINT ", "PRIMARY ", "UNIQUE ", "CHECK ", "FOREIGN ")
        for part in parts:
            if not part.startswith(kinds):
                print(column(part, counted.get(table, {})))
        # Alembic writes constraints in another order each time.
        lines = [constraint(part) for part in parts if part.startswith(kinds)]
        for line in sorted(lines, key=lambda line: (ORDER.index(line.split()[0]), line)):
            print(line)
        for kind, sql in db.execute("select type, sql from sqlite_master where tbl_name = ? and type != 'table'"
                                    " and sql is not null order by type, name", (table,)).fetchall():
            sql = sql.replace('"', "")
            print(index(sql, tails) if kind == "index" else trigger(sql))
        for row in db.execute(f'select * from "{table}"'):
            print(f"  ROW ({', '.join(map(value, row))})")


main(*sys.argv[1:])
