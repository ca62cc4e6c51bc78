"""Writes the files beside it: the same rows in the encodings, types and compressions that other writers use.

The files came from pyarrow 25.0.1 and pandas 3.1.1. Run it in this directory.
"""

import base64
import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

MS = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema([
    ("project_id", pa.string()), ("run_id", pa.string()), ("attribute_path", pa.string()), ("attribute_type", pa.string()),
    ("step", pa.decimal128(18, 6)), ("timestamp", MS), ("int_value", pa.int64()), ("float_value", pa.float64()),
    ("string_value", pa.string()), ("bool_value", pa.bool_()), ("datetime_value", MS), ("string_set_value", pa.list_(pa.string())),
    ("file_value", pa.struct([("path", pa.string())])),
    ("histogram_value", pa.struct([("type", pa.string()), ("edges", pa.list_(pa.float64())), ("values", pa.list_(pa.float64()))])),
])
START = dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=dt.timezone.utc)


def row(path, kind, **values):
    return {"project_id": "ws/proj", "run_id": "r", "attribute_path": path, "attribute_type": kind, **values}


def rows():
    yield row("sys/id", "string", string_value="r")
    yield row("int", "int", int_value=-(2**53))
    yield row("int2", "int", int_value=7)
    yield row("bool", "bool", bool_value=True)
    yield row("datetime", "datetime", datetime_value=START)
    yield row("tags", "string_set", string_set_value=["b", "", "a"])
    for i in range(40):
        at = {"step": Decimal(i * i - 100) / 8, "timestamp": START + dt.timedelta(milliseconds=i**4)}
        yield row("loss", "float_series", float_value=(i * i + 1) / 7, **at)
        yield row("log", "string_series", string_value=f"line {i} of a log", **at)
    for i in range(3):
        at = {"step": Decimal(i), "timestamp": START}
        yield row("hist", "histogram_series", histogram_value={"type": "COUNTING", "edges": [0.5, i + 1.5], "values": [float(i)]}, **at)


PLAIN = pa.Table.from_pylist(list(rows()), SCHEMA)


def typed(**types):
    """The table with other types of columns."""
    table = PLAIN
    for name, to in types.items():
        table = table.set_column(SCHEMA.get_field_index(name), name, table[name].cast(to))
    return table


def write(name, table=PLAIN, **options):
    pq.write_table(table, name + ".parquet", **{"compression": "none", "use_dictionary": False, "write_statistics": False} | options)


def encoded(**encodings):
    return {"column_encoding": {name.replace("__", "."): e for name, e in encodings.items()}}


write("plain")
write("tool", use_dictionary=True, compression="snappy", write_statistics=True)
write("int96", use_deprecated_int96_timestamps=True)
write("int96_dictionary", use_deprecated_int96_timestamps=True, use_dictionary=True)
write("microseconds", typed(timestamp=pa.timestamp("us", tz="UTC"), datetime_value=pa.timestamp("us")))
write("nanoseconds", typed(timestamp=pa.timestamp("ns", tz="UTC"), datetime_value=pa.timestamp("ns")), version="2.6")
SPLIT = encoded(step="BYTE_STREAM_SPLIT", timestamp="BYTE_STREAM_SPLIT", int_value="BYTE_STREAM_SPLIT", float_value="BYTE_STREAM_SPLIT",
                datetime_value="BYTE_STREAM_SPLIT", histogram_value__edges__list__element="BYTE_STREAM_SPLIT")
write("byte_stream_split", **SPLIT)
write("byte_stream_split_int", store_decimal_as_integer=True, compression="zstd", data_page_version="2.0", **SPLIT)
DELTA = encoded(timestamp="DELTA_BINARY_PACKED", int_value="DELTA_BINARY_PACKED", datetime_value="DELTA_BINARY_PACKED",
                attribute_path="DELTA_BYTE_ARRAY", attribute_type="DELTA_LENGTH_BYTE_ARRAY", string_value="DELTA_BYTE_ARRAY",
                string_set_value__list__element="DELTA_LENGTH_BYTE_ARRAY", bool_value="RLE")
write("delta", **{"column_encoding": DELTA["column_encoding"] | {"step": "DELTA_BYTE_ARRAY"}})
write("delta_int", store_decimal_as_integer=True, data_page_version="2.0",
      **{"column_encoding": DELTA["column_encoding"] | {"step": "DELTA_BINARY_PACKED"}})
write("decimal_int32", typed(step=pa.decimal128(9, 6)), store_decimal_as_integer=True)
write("decimal_int64", store_decimal_as_integer=True)
write("decimal_int64_scale3", typed(step=pa.decimal128(18, 3)), store_decimal_as_integer=True)
for precision, scale in [(6, 3), (9, 6), (20, 6), (38, 6), (38, 20)]:
    write(f"decimal{precision}_{scale}", typed(step=pa.decimal128(precision, scale)))
for precision, scale in [(18, 6), (50, 6), (76, 30)]:
    write(f"decimal256_{precision}_{scale}", typed(step=pa.decimal256(precision, scale)))
write("decimal256_dictionary", typed(step=pa.decimal256(76, 6)), use_dictionary=True)
write("double_steps", typed(step=pa.float64()))
write("small_numbers", typed(int_value=pa.float64()))
for codec in ["gzip", "zstd", "brotli", "lz4"]:
    write(codec, compression=codec, use_dictionary=True)
write("lz4_v2", compression="lz4", data_page_version="2.0")
write("large_strings", typed(attribute_path=pa.large_string(), string_value=pa.large_string(), string_set_value=pa.large_list(pa.large_string())))
write("dictionaries", typed(attribute_path=pa.dictionary(pa.int8(), pa.string()), attribute_type=pa.dictionary(pa.int32(), pa.string())),
      use_dictionary=True)
write("small_pages", use_dictionary=True, data_page_size=64, write_batch_size=8, row_group_size=31)
write("list_item", use_compliant_nested_type=False)
PLAIN.to_pandas().to_parquet("pandas.parquet")

# Attributes that need columns which have no values, and so no type, are left out.
untyped = pc.is_in(PLAIN["attribute_type"], pa.array(["bool", "datetime", "string_set"]))
some = PLAIN.filter(pc.invert(untyped))
some.to_pandas().to_parquet("pandas_no_values.parquet")

# Integers that no double holds, or that were none.
odd = PLAIN.slice(0, 3).set_column(6, "int_value", pa.array([None, 2.0**53 + 2, 1.5]))
write("odd_ints", odd)


class Keys(pe.KmsClient):
    """Keeps keys as they are."""

    def wrap_key(self, key, name):
        return base64.b64encode(key)

    def unwrap_key(self, key, name):
        return base64.b64decode(key)


def encrypt(name, **options):
    factory, kms = pe.CryptoFactory(lambda _: Keys()), pe.KmsConnectionConfig()
    config = pe.EncryptionConfiguration(footer_key="footer", **options)
    write(name, encryption_properties=factory.file_encryption_properties(kms, config))


encrypt("encrypted", column_keys={"column": ["float_value"]})
encrypt("encrypted_columns", column_keys={"column": ["float_value", "step"]}, plaintext_footer=True)
