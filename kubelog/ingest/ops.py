"""Operations on bytes that the leaves share; the one place where a leaf may have a second body when compiled."""

from __future__ import annotations


def find(b: bytes, c: int, p: int, e: int) -> int:
    """Where the byte c first stands in b[p:e], else e."""
    q = b.find(c, p, e)
    return e if q < 0 else q


def locate(b: bytes, lit: bytes, p: int, e: int) -> int:
    """Where lit first stands in b[p:e], else -1."""
    return b.find(lit, p, e)


def starts(b: bytes, lit: bytes, p: int, e: int) -> bool:
    """Whether lit stands at p, before e."""
    return p + len(lit) <= e and b.startswith(lit, p)


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
    """The number that the digits b[p:e] say; no digits say 0."""
    n = 0
    while p < e:
        n = n * 10 + b[p] - 48
        p += 1
    return n


def closing_quote(b: bytes, p: int, e: int) -> int:
    """Where the quoted text that begins at p (behind its quote) ends: its closing quote, else e."""
    while True:
        p = find(b, 34, p, e)
        if p >= e:
            return e
        i = p
        while b[i - 1] == 92:
            i -= 1
        if (p - i) & 1 == 0:
            return p
        p += 1
