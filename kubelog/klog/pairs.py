r"""body → message and pairs: `"msg" key=value key="value"` as klog v2 has written it in every release.

    body  = quoted { blank key "=" value }
    key   = any bytes without a quote or newline up to "="; keys may contain blanks
    value = quoted | block | brackets | plain
    block = "<\n" { TAB line "\n" } " >"
    brackets = "{…}" "[…]" "&{…}" "map[…]", balanced, at most MAX_DEPTH deep; JSON strings are skipped
    plain = to the next blank; further, where what follows is no `key=`; never beyond its line

Lines that follow the pairs of a record, as a stack does, are no pairs.
"""

from __future__ import annotations

from array import array

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.ingest import ops

# A pair in `out` is four numbers: key start and end, value start and end (quotes and block marks included).
STEP = 4


def read(b: bytes, p: int, e: int, out: array[int]) -> int:
    """Read the pairs of b[p:e] behind the message; where reading stopped: e, or where no pair stands."""
    while True:
        q = ops.blanks(b, p, e)
        if q == e or b[q] == 10:
            return e
        k = ops.find(b, 61, q, e)
        if k >= e or k == q or (p < e and q == p) or not _is_key(b, q, k):
            return p
        v = value_end(b, k + 1, e)
        out.extend((q, k, k + 1, v))
        p = v


def _is_key(b: bytes, p: int, e: int) -> bool:
    while p < e:
        if b[p] == 34 or b[p] == 10:
            return False
        p += 1
    return True


def value_end(b: bytes, p: int, e: int) -> int:
    """The end of the value that begins at p."""
    if p >= e:
        return e
    c = b[p]
    if c == 34:
        q = ops.closing_quote(b, p + 1, e)
        return e if q >= e else q + 1
    if c == 60 and p + 1 < e and b[p + 1] == 10:
        q = ops.locate(b, b"\n >", p + 1, e)
        return e if q < 0 else q + 3
    if c in (123, 91) or (c == 38 and p + 1 < e and b[p + 1] in (123, 91)) or ops.starts(b, b"map[", p, e):
        q = _balanced(b, p, e)
        if q > 0:
            return q
    e = ops.find(b, 10, p, e)
    q = ops.word(b, p, e)
    if _scalar(b, p, q):
        return q
    while q < e:
        n = ops.blanks(b, q, e)
        w = ops.word(b, n, e)
        if ops.find(b, 61, n, w) < w:
            return q
        q = w
    return e


def _scalar(b: bytes, p: int, e: int) -> bool:
    """Whether b[p:e] is a number, a boolean or nothing: such a value holds no blanks."""
    text = b[p:e]
    if text in (b"true", b"false", b"null", b"<nil>"):
        return True
    if text[:1] == b"-":
        p += 1
    q = ops.digits(b, p, e, 400)
    if q > p and q < e and b[q] == 46:
        q = ops.digits(b, q + 1, e, 400)
    return q == e and q > p


def _balanced(b: bytes, p: int, e: int) -> int:
    """Where the brackets that open at p close, or -1; a quoted text inside is skipped where it is closed.

    The depth is bounded so that many brackets that never close cannot make the reading quadratic.
    """
    depth = 0
    closed = True
    while p < e:
        c = b[p]
        if c == 123 or c == 91:
            depth += 1
            if depth > MAX_DEPTH:
                return -1
        elif c == 125 or c == 93:
            depth -= 1
            if depth == 0:
                return p + 1
        elif c == 34 and closed:
            q = ops.closing_quote(b, p + 1, e)
            if q < e:
                p = q
            else:
                closed = False  # nor is any quote behind it
        p += 1
    return -1
