"""Operations on bytes that the leaves share: the one module with two bodies. Compiled leaves use those of `ops.pxd`.

Both say the same of every argument. Places outside the text are refused in C as an exception would be here: nothing is
found there.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence

_MASK = (1 << 64) - 1
_MIX, _MIX_2, _MIX_3, _MIX_4 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xFF51AFD7ED558CCD


def empty(like: array[int], size: int) -> array[int]:
    """An array for a column. Compiled, it is not cleared."""
    return array(like.typecode, bytes(size * like.itemsize))


def cleared(like: array[int], size: int) -> array[int]:
    """An array of zeros for a column."""
    return array(like.typecode, bytes(size * like.itemsize))


def read_behind(front: bytes, descriptor: int, size: int) -> bytes:
    """`front` and up to `size` bytes of a file, fewer at its end or before an error. Compiled, they are read in their place."""
    pieces = [front]
    try:
        while size and (piece := os.read(descriptor, size)):
            pieces.append(piece)
            size -= len(piece)
    except OSError:
        if len(pieces) == 1:
            raise
    return b"".join(pieces)


def find(b: bytes | bytearray, c: int, p: int, e: int) -> int:
    """Where the byte c first stands in b[p:e], else e."""
    q = b.find(c, p, e)
    return e if q < 0 else q


seek = find  # for what is near: compiled, it looks at eight bytes at a time


def locate(b: bytes, p: int, e: int, lit: bytes, at: int, n: int) -> int:
    """Where lit[at:at + n] first stands in b[p:e], else -1."""
    return b.find(lit[at : at + n], p, e)


def starts(b: bytes, p: int, e: int, lit: bytes, at: int, n: int) -> bool:
    """Whether lit[at:at + n] stands at p, before e."""
    return p + n <= e and b.startswith(lit[at : at + n], p)


def same(b: bytes, p: int, q: int, n: int) -> bool:
    """Whether the n bytes at p and at q are the same, all of them inside b."""
    return p + n <= len(b) and q + n <= len(b) and b[p : p + n] == b[q : q + n]


def blanks(b: bytes, p: int, e: int) -> int:
    """The end of the run of spaces and tabs at p."""
    while p < e and (b[p] == 32 or b[p] == 9):
        p += 1
    return p


def word(b: bytes, p: int, e: int) -> int:
    """The end of the run of bytes at p that are neither space nor tab."""
    while p < e and b[p] != 32 and b[p] != 9:
        p += 1
    return p


def digits(b: bytes, p: int, e: int, most: int) -> int:
    """The end of the run of at most `most` ASCII digits at p."""
    stop = min(e, p + most)
    while p < stop and 48 <= b[p] <= 57:
        p += 1
    return p


def number(b: bytes, p: int, e: int) -> int:
    """The number that the at most 18 digits b[p:e] say; no digits say 0."""
    n = 0
    while p < e:
        n = n * 10 + b[p] - 48
        p += 1
    return n


def six(b: bytes, p: int, e: int) -> int:
    """The number that six digits at p say, else -1."""
    return number(b, p, p + 6) if digits(b, p, e, 6) == p + 6 else -1


def clock(b: bytes, p: int, e: int) -> int:
    """hh:mm:ss at p as seconds, or -1."""
    if p + 8 > e or b[p + 2] != 58 or b[p + 5] != 58:
        return -1
    for i in (0, 1, 3, 4, 6, 7):
        if b[p + i] < 48 or b[p + i] > 57:
            return -1
    h, m, s = number(b, p, p + 2), number(b, p + 3, p + 5), number(b, p + 6, p + 8)
    return (h * 60 + m) * 60 + s if h < 24 and m < 60 and s < 60 else -1


def closing_quote(b: bytes, p: int, e: int) -> int:
    """Where the quoted text that begins at p (behind its quote) ends: its closing quote, else e."""
    start = p
    while True:
        p = find(b, 34, p, e)
        if p >= e:
            return e
        i = p
        while i > start and b[i - 1] == 92:
            i -= 1
        if (p - i) & 1 == 0:
            return p
        p += 1


def value_end(b: bytes, p: int, e: int) -> int:
    """Where the JSON value at p ends; what is cut ends at e."""
    depth = 0
    while p < e:
        c = b[p]
        if c == 34:
            p = closing_quote(b, p + 1, e)
            if p == e:
                return e
        elif c == 91 or c == 123:
            depth += 1
        elif c == 44 or c == 93 or c == 125:
            if depth == 0:
                return p
            depth -= c != 44
        p += 1
        if depth == 0 and (c == 34 or c == 93 or c == 125):
            return p
    return e


def unescape(target: bytearray, q: int, b: bytes, p: int, e: int) -> int:
    r"""Put what the JSON string b[p:e] says into the target at q; where it ends there. A lone surrogate becomes \ufffd."""
    while p < e:
        c = b[p]
        p += 1
        if c != 92 or p == e:
            target[q] = c
            q += 1
            continue
        c = b[p]
        p += 1
        if c != 117:
            target[q] = _SAID.get(c, c)
            q += 1
            continue
        point = _hex(b, p, e)
        if point < 0:
            target[q : q + 2] = b"\\u"
            q += 2
            continue
        p += 4
        if 0xD800 <= point < 0xDC00 and p + 1 < e and b[p] == 92 and b[p + 1] == 117:
            low = _hex(b, p + 2, e)
            if 0xDC00 <= low < 0xE000:
                point = 0x10000 + ((point - 0xD800) << 10) + low - 0xDC00
                p += 6
        said = chr(0xFFFD if 0xD800 <= point < 0xE000 else point).encode()
        target[q : q + len(said)] = said
        q += len(said)
    return q


_SAID = {98: 8, 102: 12, 110: 10, 114: 13, 116: 9}


def _hex(b: bytes, p: int, e: int) -> int:
    """The number that four hexadecimal digits at p say, else -1."""
    digits = bytes(b[p : p + 4])
    return int(digits, 16) if p + 4 <= e and all(c in b"0123456789abcdefABCDEF" for c in digits) else -1


def key_end(b: bytes, p: int, e: int) -> int:
    """Where the first `=`, quote or newline of b[p:e] stands, else e."""
    while p < e and b[p] != 61 and b[p] != 34 and b[p] != 10:
        p += 1
    return p


def plain_end(b: bytes, p: int, e: int) -> int:
    """Where the first blank, tab or newline of b[p:e] stands, else e."""
    while p < e and b[p] != 32 and b[p] != 9 and b[p] != 10:
        p += 1
    return p


def run(b: bytes, p: int, e: int, stops: bytes) -> int:
    """The end of the run of bytes at p that are no stops: `stops` has a byte for each, 0 for those of the run."""
    while p < e and not stops[b[p]]:
        p += 1
    return p


def text_behind(b: bytes, p: int, e: int) -> int:
    """Where a text begins behind the mark that ends at p: one blank further, or at the end; -1 where neither is."""
    if p == e:
        return p
    return p + 1 if b[p] == 32 else -1


def first_of(b: bytes, p: int, e: int, pool: bytes, literals: Sequence[int], chosen: Sequence[int]) -> int:
    """The length of the first of the chosen literals that stands at p, before e; -1. A literal is (place in pool, length)."""
    for number in chosen:
        if starts(b, p, e, pool, literals[2 * number], literals[2 * number + 1]):
            return literals[2 * number + 1]
    return -1


def digest(b: bytes | bytearray, p: int, e: int) -> int:
    """A hash of b[p:e], the same on every machine; 64 bits."""
    n = e - p
    if n < 8:
        h = int.from_bytes(b[p:e], "little")
    elif n <= 16:
        h = _load(b, p) * _MIX ^ _load(b, e - 8) * _MIX_2
    elif n <= 32:
        h = _load(b, p) * _MIX ^ _load(b, p + 8) * _MIX_2 ^ _load(b, e - 16) * _MIX_3 ^ _load(b, e - 8) * _MIX_4
    else:
        h = 0
        while e - p > 8:
            h = ((h ^ _load(b, p)) * _MIX) & _MASK
            h ^= h >> 32
            p += 8
        h = (h ^ _load(b, e - 8)) * _MIX_2
    h = ((h & _MASK) ^ n) * _MIX & _MASK
    h = (h ^ (h >> 32)) * _MIX & _MASK
    return h ^ (h >> 32)


def _load(b: bytes | bytearray, p: int) -> int:
    return int.from_bytes(b[p : p + 8], "little")


def lookup(slots: Sequence[int], spans: Sequence[int], text: bytes | bytearray, b: bytes | bytearray, p: int, e: int) -> int:
    """The number of b[p:e] among the spans of text; -1 - its slot where it is none of them.

    `slots` is a hash table of numbers + 1 whose size is a power of two; one at least is 0.
    """
    mask = len(slots) - 1
    i = digest(b, p, e) & mask
    while slots[i]:
        at, stop = spans[2 * slots[i] - 2], spans[2 * slots[i] - 1]
        if stop - at == e - p and text[at:stop] == b[p:e]:
            return slots[i] - 1
        i = (i + 1) & mask
    return -1 - i


def valid_text(b: bytes, p: int, e: int) -> int:
    """2: b[p:e] is ASCII; 1: it is UTF-8; 0: it is neither."""
    if bytes(b[p:e]).isascii():
        return 2
    try:
        bytes(b[p:e]).decode()
    except UnicodeDecodeError:
        return 0
    return 1


def put_view(views: array[int], i: int, b: bytes | bytearray, p: int, e: int, buffer: int, place: int) -> None:
    """Put Arrow's view of b[p:e] into views[i:i + 4]: its length, then itself, or its first four bytes and where it is kept."""
    text = bytes(b[p : min(e, p + 12)])
    words = memoryview(text[: 4 if e - p > 12 else 12].ljust(12, b"\0")).cast("i")
    views[i], views[i + 1] = e - p, words[0]
    views[i + 2], views[i + 3] = (buffer, place) if e - p > 12 else (words[1], words[2])


def put_bit(bits: bytearray, i: int) -> None:
    """Set a bit, the lowest of a byte first."""
    bits[i >> 3] |= 1 << (i & 7)


def _mark(column: array[int], n: int, none: int, bits: bytearray, clear: bool) -> int:
    """How many of the first n values are `none`. If any, the bits of the others are set, the lowest of a byte first."""
    missing = sum(1 for i in range(n) if column[i] == none)
    if missing:
        bits[: (n + 7) // 8] = bytes((n + 7) // 8)
        for i in range(n):
            if column[i] != none:
                bits[i >> 3] |= 1 << (i & 7)
            elif clear:
                column[i] = 0
    return missing


def mark_b(column: array[int], n: int, none: int, bits: bytearray) -> int:
    """How many of the first n values are `none`. If any: the others' bits are set, the lowest of a byte first; `none` becomes 0."""
    return _mark(column, n, none, bits, True)


def mark_i(column: array[int], n: int, none: int, bits: bytearray) -> int:
    """As mark_b."""
    return _mark(column, n, none, bits, True)


def mark_q(column: array[int], n: int, none: int, bits: bytearray) -> int:
    """As mark_b, but `none` stays."""
    return _mark(column, n, none, bits, False)


def put_less(target: array[int], column: array[int], n: int) -> None:
    """Put the first n values of a column into the target, each less by one."""
    for i in range(n):
        target[i] = column[i] - 1


def copy(target: bytearray | array[int], q: int, b: bytes, p: int, e: int) -> int:
    """Put b[p:e] into the target at q; where it ends there."""
    memoryview(target)[q : q + e - p] = b[p:e]
    return q + e - p
