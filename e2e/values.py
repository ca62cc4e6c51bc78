"""The values of worlds and archives, in forms that can be compared."""

import base64
import decimal
import hashlib
import struct

MASK = (1 << 64) - 1
MAX_SHOWN = 300
WIDE = decimal.Context(prec=60)


def step(number):
    """The exact value of a float, to six places."""
    return decimal.Decimal(float(number)).quantize(decimal.Decimal("0.000001"), context=WIDE)


def micro(number):
    """A decimal step in millionths."""
    return int(number.scaleb(6, WIDE))


def bits(v):
    """Floats as their bits, so that NaN equals NaN and 0.0 differs from -0.0."""
    if isinstance(v, float):
        return "NaN" if v != v else struct.pack(">d", v).hex()
    if isinstance(v, list):
        return [bits(x) for x in v]
    if isinstance(v, dict):
        return {k: bits(x) for k, x in v.items()}
    return v


def content(file):
    """The bytes of a file as a world describes it."""
    return base64.b64decode(file["b64"]) if "b64" in file else noise(file["size"], file["seed"])


def noise(size, seed):
    """splitmix64, as neptunetest.GeneratedFile has it."""
    out = bytearray()
    for i in range((size + 7) // 8):
        z = (seed + i * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        out += struct.pack("<Q", z ^ z >> 31)
    return bytes(out[:size])


def safe(identity):
    """The name that docs/formats/parquet.md gives an ID."""
    name = "".join(c if c.isalnum() or c in "_-" else "_" for c in identity)
    while len(name.encode()) > 180:
        name = name[:-1]
    return name + "-" + hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def shown(v):
    text = repr(v)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
