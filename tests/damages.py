"""Ways to damage a results folder, for the test of the check at the door."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TABLES = ("patients", "events", "metastases", "counts", "stages", "failures", "summary")


def change_table(name, change):
    def damage(folder):
        path = folder / f"{name}.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    return damage


def with_column(column, make):
    def change(table):
        place = table.column_names.index(column)
        return table.set_column(place, column, make(table[column]))

    return change


def as_text(values):
    return pa.array(["x"] * len(values))


def as_nulls(values):
    return pa.nulls(len(values), values.type)


def first_is(value):
    def make(values):
        rest = values.cast(pa.string() if isinstance(value, str) else values.type).to_pylist()
        new = pa.array([value, *rest[1:]], pa.string() if isinstance(value, str) else values.type)
        return new.dictionary_encode() if pa.types.is_dictionary(values.type) else new

    return make


def change_about(change):
    def damage(folder):
        path = folder / "provenance.json"
        about = json.loads(path.read_text())
        path.write_text(json.dumps(change(about)))

    return damage


def without(key):
    return lambda about: {k: v for k, v in about.items() if k != key}


def with_value(key, value):
    return lambda about: about | {key: value}


def nested(key, inner, value):
    return lambda about: about | {key: about[key] | {inner: value}}


def change_bytes(name, change):
    def damage(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def flipped(place):
    def change(data):
        at = int(place * len(data))
        return data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :]

    return change


def remove(name):
    return lambda folder: (folder / name).unlink()


def copy_over(source, target):
    return lambda folder: shutil.copy(folder / source, folder / target)


# what is done: the damage, and words of the message
DAMAGES = {
    **{
        f"{name} dropped column": (
            change_table(name, lambda t: t.drop_columns(t.column_names[:1])),
            ("column", "is missing"),
        )
        for name in TABLES
    },
    **{
        f"{name} of another kind": (copy_over(f"{other}.parquet", f"{name}.parquet"), (name,))
        for name, other in zip(TABLES, TABLES[1:] + TABLES[:1], strict=True)
    },
    **{f"{name} missing": (remove(f"{name}.parquet"), (f"{name}.parquet: missing",))
       for name in ("patients", "stages", "summary")},
    **{f"{name} empty table": (change_table(name, lambda t: t.slice(0, 0)), ("0 rows instead of",))
       for name in ("patients", "metastases", "counts", "summary")},
    **{f"{name} truncated": (change_bytes(f"{name}.parquet", lambda d: d[: len(d) // 2]),
                             (f"{name}.parquet", "damaged"))
       for name in ("patients", "events", "metastases")},
    **{f"{name} flipped at {place}": (change_bytes(f"{name}.parquet", flipped(place)),
                                      (f"{name}.parquet",))
       for name in ("patients", "counts") for place in (0.0, 0.2, 0.5, 0.99)},
    "no bytes": (change_bytes("events.parquet", lambda _: b""), ("events.parquet",)),
    "text as table": (change_bytes("events.parquet", lambda _: b"hello"), ("events.parquet",)),
    "cells as text": (change_table("metastases", with_column("cells", as_text)),
                      ("metastases.parquet: column 'cells' holds text where whole", )),
    "day as text": (change_table("counts", with_column("day", as_text)),
                    ("counts.parquet: column 'day' holds text where numbers belong",)),
    "cells null": (change_table("metastases", with_column("cells", as_nulls)),
                   ("metastases.parquet: column 'cells' has no value",)),
    "organ null": (change_table("counts", with_column("organ", as_nulls)),
                   ("counts.parquet: column 'organ' has no value",)),
    "end infinite": (change_table("patients", with_column("end_day", first_is(np.inf))),
                     ("patients.parquet: column 'end_day'", "not finite")),
    "death undefined": (change_table("patients", with_column("death_day", first_is(np.nan))),
                        ("patients.parquet: column 'death_day'", "not finite")),
    "negative cells": (change_table("counts", with_column("cells", first_is(-33_008))),
                       ("counts.parquet: column 'cells' has negative numbers (-33,008)",)),
    "unknown organ": (change_table("metastases", with_column("organ", first_is("spleen"))),
                      ("metastases.parquet: column 'organ'", "'spleen'")),
    "unknown class": (change_table("summary", with_column("counted", first_is("huge"))),
                      ("summary.parquet: column 'counted'", "'huge'")),
    "unknown stage": (change_table("stages", with_column("stage", first_is("eighth"))),
                      ("stages.parquet: column 'stage'", "'eighth'")),
    "a number changed": (change_table("metastases", with_column("founders", first_is(77))),
                         ("metastases.parquet: changed since it was written",)),
    "more rows": (change_table("events", lambda t: pa.concat_tables([t, t])), ("rows instead of",)),
    **{f"provenance without {key}": (change_about(without(key)), (f"'{key}'",))
       for key in ("format", "record", "rows")},
    "not JSON": (change_bytes("provenance.json", lambda d: d[:50]), ("provenance.json: damaged",)),
    "deep JSON": (change_bytes("provenance.json", lambda _: b"[" * 100_000), ("provenance.json",)),
    "a list": (change_bytes("provenance.json", lambda _: b"[1, 2]"), ("not a results folder",)),
    "not UTF-8": (change_bytes("provenance.json", lambda _: b"\xff\xfe"), ("not UTF-8",)),
    "newer version": (change_about(with_value("format_version", 2)),
                      ("written by a newer metasim", "in format 2")),
    "version as text": (change_about(with_value("format_version", "1")), ("'format_version'",)),
    "record as number": (change_about(with_value("record", 3)), ("'record'",)),
    "record unknown": (change_about(with_value("record", "all")), ("'record' is 'all'",)),
    "rows as a list": (change_about(with_value("rows", [1])), ("'rows'",)),
    "rows as text": (change_about(nested("rows", "patients", "many")), ("'patients'",)),
    "patients as text": (change_about(with_value("patients", "many")), ("'patients'",)),
    "checksums as a number": (change_about(with_value("checksums", 3)), ("checksum",)),
    "description as text": (change_about(with_value("description", "x")), ("description",)),
    "description patients": (change_about(nested("description", "patients", None)),
                             ("description.patients",)),
    "description organs": (change_about(nested("description", "organs", [{"key": 3}])),
                           ("description.organs.0.key",)),
    "scenario missing": (remove("scenario.toml"), ("scenario.toml is missing",)),
    "scenario truncated": (change_bytes("scenario.toml", lambda d: d[:999]), ("scenario.toml",)),
    "scenario flipped": (change_bytes("scenario.toml", flipped(0.5)), ("scenario.toml",)),
    "scenario of another": (change_bytes("scenario.toml", lambda _: b"a = 1"), ("scenario.toml",)),
}  # fmt: skip


def randomly(folder: Path, rng: np.random.Generator) -> str:
    """Damage a folder somewhere; says what was done."""
    kind = rng.integers(6)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    path = files[rng.integers(len(files))]
    table = TABLES[rng.integers(len(TABLES))]
    if kind == 0:
        place = rng.random()
        change_bytes(path.name, flipped(place))(folder)
        return f"{path.name} flipped at {place}"
    if kind == 1:
        share = rng.random()
        change_bytes(path.name, lambda d: d[: int(share * len(d))])(folder)
        return f"{path.name} cut at {share}"
    if kind == 2:
        other = next(one for one in rng.permutation(files) if one != path)
        shutil.copy(path, folder / "swap")
        shutil.copy(other, path)
        shutil.move(folder / "swap", other)
        return f"{path.name} and {other.name} swapped"
    found = pq.read_table(folder / f"{table}.parquet")
    column = found.column_names[rng.integers(len(found.column_names))]
    if kind == 3:
        change_table(table, lambda t: t.drop_columns([column]))(folder)
        return f"{table} without {column}"
    if kind == 4:
        make = (as_text, as_nulls)[rng.integers(2)]
        change_table(table, with_column(column, make))(folder)
        return f"{table}.{column} by {make.__name__}"
    order = pa.array(rng.permutation(found.num_rows))
    change_table(table, with_column(column, lambda values: values.take(order)))(folder)
    return f"{table}.{column} shuffled"
