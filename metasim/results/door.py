"""The check at the door of a finished folder: one message that names file, key or column.

Every table has a schema, a number of rows and a checksum. Where a checksum is missing (folders of
earlier versions) or does not fit, the values are looked at too, so that the message can name the
column. Nothing that has come through this door needs checking again.
"""

import json
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from metasim.errors import ResultsError
from metasim.results.description import Description
from metasim.results.values import check_values

CHECKSUMS: Final = "checksums"
_BLOCK: Final = 1 << 22
_LARGEST_TEXT: Final = 64 << 20  # bytes of provenance.json or scenario.toml
_BROKEN: Final = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError)


class Wanted(NamedTuple):
    """What a Parquet file has to hold: columns of these types, so many rows, further columns."""

    schema: pa.Schema
    rows: int | None
    others: Sequence[str] = ()


def checksums_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """CRC-32 of files, in hexadecimal digits, by their names."""
    return {name: _checksum(folder / name) for name in sorted(names)}


def read_about(
    folder: Path, formats: Mapping[str, str], wanted: str, newest: int
) -> dict[str, Any]:
    """provenance.json of a folder that is to be of one format.

    Args:
        folder: where it lies.
        formats: what each format is called in messages.
        wanted: the format asked for.
        newest: format versions up to this can be read.

    Raises:
        ResultsError: it is missing, damaged, of another format or of a newer version.
    """
    path = folder / "provenance.json"
    if not path.is_file():
        if (folder / "differences.csv").is_file():
            raise ResultsError(f"{folder}: tables of a comparison, not {formats[wanted]}")
        raise ResultsError(
            f"{folder}: not a results folder of metasim (provenance.json is missing)"
        )
    try:
        about = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: damaged ({error})") from error
    if not isinstance(about, dict) or about.get("format") not in formats:
        raise ResultsError(f"{folder}: not a results folder of metasim ('format' in {path.name})")
    if about["format"] != wanted:
        raise ResultsError(f"{folder}: {formats[about['format']]}, not {formats[wanted]}")
    version = about.get("format_version", 1)
    if type(version) is not int or version < 1:
        raise ResultsError(f"{path}: 'format_version' is {version!r} instead of a whole number")
    if version > newest:
        raise ResultsError(
            f"{folder}: written by a newer metasim ({about.get('metasim', 'of unknown version')}) "
            f"in format {version}; this metasim reads format {newest}"
        )
    return about


def read_description(folder: Path, about: Mapping[str, Any]) -> tuple[str, Description]:
    """scenario.toml, and the description of the run: that saved, or else made of the scenario.

    Raises:
        ResultsError: one of them is missing or damaged.
    """
    path = folder / "scenario.toml"
    if not path.is_file():
        raise ResultsError(f"{folder}: not a results folder of metasim ({path.name} is missing)")
    text = _text(path)
    try:
        found = Description.of(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: damaged ({error})") from error
    check_bytes(path, about)
    if "description" in about:
        try:
            found = Description.read(about["description"])
        except ValueError as error:
            raise ResultsError(f"{folder / 'provenance.json'}: description.{error}") from error
    return text, found


def expect(about: Mapping[str, Any], key: str, kind: type, path: Path) -> Any:
    """The value of a key of provenance.json.

    Raises:
        ResultsError: it is missing or of another type.
    """
    value = about.get(key)
    if type(value) is not kind:
        said = "is missing" if key not in about else f"is {str(value)[:40]!r}"
        words = {dict: "a table", list: "a list", int: "a whole number", str: "text"}[kind]
        raise ResultsError(f"{path}: {key!r} {said}; {words} is due")
    return value


def check_table(path: Path, wanted: Wanted, about: Mapping[str, Any], organs: set[str]) -> None:
    """Check one Parquet file.

    Raises:
        ResultsError: it is missing or damaged, lacks a column or rows, holds what does not belong.
    """
    if not path.is_file():
        raise ResultsError(f"{path}: missing")
    try:
        file = pq.ParquetFile(path)
        schema, rows = file.schema_arrow, int(file.metadata.num_rows)
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ResultsError(f"{path}: damaged or truncated") from error
    with file:
        for field in wanted.schema:
            _check_field(path, schema, field)
        for name in wanted.others:
            if name not in schema.names:
                raise ResultsError(f"{path}: column {name!r} is missing")
        for name in schema.names:
            if schema.names.count(name) > 1:
                raise ResultsError(f"{path}: column {name!r} is there twice")
        if wanted.rows is not None and rows != wanted.rows:
            raise ResultsError(f"{path}: holds {rows:,} rows instead of {wanted.rows:,}")
        if _fits(path, about):
            return
        due = set(wanted.schema.names)
        try:
            for batch in file.iter_batches():
                check_values(path, pa.Table.from_batches([batch]), due, organs)
        except _BROKEN as error:
            raise ResultsError(f"{path}: damaged ({_first_line(error)})") from error
    check_bytes(path, about)


def rows_of(path: Path) -> int:
    """Rows of a Parquet file that has come through the door."""
    return int(pq.read_metadata(path).num_rows)


def check_bytes(path: Path, about: Mapping[str, Any]) -> None:
    """Hold a file against its checksum, if it has one.

    Raises:
        ResultsError: it was changed since it was written.
    """
    if CHECKSUMS in about and not _fits(path, about):
        raise ResultsError(f"{path}: changed since it was written (its checksum differs)")


def _fits(path: Path, about: Mapping[str, Any]) -> bool:
    known = about.get(CHECKSUMS)
    return isinstance(known, dict) and known.get(path.name) == _checksum(path)


def _check_field(path: Path, schema: pa.Schema, field: pa.Field) -> None:
    if field.name not in schema.names:
        raise ResultsError(f"{path}: column {field.name!r} is missing")
    found = schema.field(schema.names.index(field.name)).type
    if _kind(found) != _kind(field.type):
        raise ResultsError(
            f"{path}: column {field.name!r} holds {_words(found)} where {_words(field.type)} belong"
        )


def _kind(type_: pa.DataType) -> str:
    """Types that are read alike."""
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else str(type_)


def _words(type_: pa.DataType) -> str:
    kind = _kind(type_)
    return {"int64": "whole numbers", "double": "numbers"}.get(kind, kind)


def _checksum(path: Path) -> str:
    return f"{_crc(_blocks(path)):08x}"


def _crc(blocks: Iterator[bytes]) -> int:
    found = 0
    for block in blocks:
        found = zlib.crc32(block, found)
    return found


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST_TEXT:
        raise ResultsError(f"{path}: larger than {_LARGEST_TEXT >> 20} MiB, not metasim's")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path}: damaged (not UTF-8)") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
