"""records → cells: what a table says of each record, as Arrow lays it out: the table's leaf.

It fills the cells of the records that are as usual. The others (invalid UTF-8, escapes in a message, a value that may not
convert, a pod of an odd form) are told by number: `table.py` makes a Record of each and takes their cells from there.
"""

from __future__ import annotations

from array import array
from typing import Any

from kubelog.grammar.compile import MAX_DEPTH
from kubelog.ingest import ops
from kubelog.ingest.block import LINE_TOO_LONG, LOGFMT, NONE, STRUCTURED, Block, Dictionary
from kubelog.ingest.columns import column, grown, zeros
from kubelog.message.layout import (
    BOOL,
    COLUMNS,
    DURATION,
    GO,
    INT,
    LONGEST,
    POD,
    QUANTITY,
    SIGNATURES,
    SURE,
    TEXTS,
    VIEWS,
    WORD,
    Layout,
)  # fmt: skip

try:
    import cython
except ImportError:
    from kubelog import uncompiled as cython

_KEYS = b"podpodUIDcontainerNametruefalsenullKMGTPEmap[ restarting failed container=ack-off  pod="
_MOST = 200
# What ends a part of a pod's name; what is no printable ASCII too.
_POD_STOPS = bytes(c <= 32 or c >= 127 or c in b"/_()[]{}," for c in range(256))
# What is open in a Go value: a struct, a list or tuple, a map.
_STRUCT, _LIST, _TUPLE, _MAP = range(4)


class CellReader:
    """Fills the cells of a Block's records."""

    def __init__(self, layout: Layout, block: Block) -> None:
        self.block, self.b, self.data, self.arena, self.keys = block, block.data, block.data, block.arena, _KEYS
        self.pod_stops = _POD_STOPS
        self.hole_first, self.checks, self.slow = layout.hole_first, layout.checks, layout.slow
        self.pod_hole, self.container_hole, self.event = layout.pod_hole, layout.container_hole, layout.event
        self.text, self.text_at, self.text_end, self.texts = layout.text, layout.text_at, layout.text_end, layout.texts
        self.literal, self.telling_hole = layout.literal, layout.telling_hole
        self.rows = rows = block.rows
        self.first, self.at, self.start, self.stop, self.joined = block.first, block.at, block.start, block.stop, block.joined
        self.verdict, self.reason, self.kind, self.message_end = block.verdict, block.reason, block.kind, block.message_end
        self.pair_first, self.pairs, self.span_first, self.spans = block.pair_first, block.pairs, block.span_first, block.spans
        self.process, self.site, self.thread_of, self.head = block.process, block.site, block.thread, block.head
        self.json = block.json
        self.node_of, self.unit_of, self.pid_of, self.file_of = block.node_of, block.unit_of, block.pid_of, block.file_of
        self.line_of = block.line_of
        self.line_base, self.offset_base = block.line, block.offset
        self.time, self.time_source_of, self.year_source_of = block.time, block.time_source, block.year_source
        # What is filled, by name.
        self.out = out = {name: column(code, rows) for name, code in COLUMNS.items()}
        out |= {name: zeros("i", 4 * rows) for name in VIEWS}
        self.message, self.signature, self.pod = out["message"], out["signature"], out["pod"]
        self.namespace, self.pod_uid, self.container = out["namespace"], out["pod_uid"], out["container"]
        self.node, self.unit, self.file, self.source_line = out["node"], out["unit"], out["source_file"], out["source_line"]
        self.pid, self.thread, self.line, self.offset = out["pid"], out["thread"], out["line"], out["offset"]
        self.severity, self.event_kind = out["severity"], out["kind"]
        self.time_source, self.year_source, self.reason_code = out["time_source"], out["year_source"], out["reason"]
        size = (rows + 7) // 8
        # Whether there is a text, a bit a record.
        self.bits = bits = {name: bytearray(size) for name in ("pod", "namespace", "pod_uid", "container")}
        self.has_pod, self.has_namespace, self.has_pod_uid = bits["pod"], bits["namespace"], bits["pod_uid"]
        self.has_container = bits["container"]
        # The texts: they are copied, so that the Block's bytes can be let go, which are more.
        self.room: array[int] = column("B", block.size + len(block.arena))
        self.n_kept = self.kept_from = self.kept_to = self.shift = 0  # b[kept_from:kept_to] was kept, `shift` further on
        self.signatures = Dictionary()  # their spans in `written`
        self.written = bytearray(8 * (LONGEST + _MOST))
        self.n_signatures = self.used = 0
        self.code_of = zeros("i", len(layout.text_at))  # of each signature of the grammar its code here + 1
        self.odd = zeros("i", 64)  # records that are not as usual
        self.n_odd = 0
        self.open = column("b", MAX_DEPTH)
        self.has_reasons = False
        self.no_node = -1  # the code of the node where the line says none
        self.name_at = self.name_end = self.space_at = self.space_end = self.uid_at = self.uid_end = 0
        self.value_at = self.value_end = self.told_at = self.told_end = self.pod_at = self.pod_end = 0

    def read(self) -> None:
        """Fill all cells."""
        with cython.nogil:
            self._codes()
        if self.block.origins is not None:
            for row in range(self.rows):
                self.line[row], self.offset[row] = self.block.number_of(self.first[row]), self.block.offset_of(self.first[row])
        ops.put_less(self.time_source, self.time_source_of, self.rows)
        ops.put_less(self.year_source, self.year_source_of, self.rows)
        row = 0
        names = self.signatures
        while True:
            self.slots, self.places, self.kept = names.slots, names.spans, self.room
            with cython.nogil:
                row = self._read(row)
            names.count = self.n_signatures
            if row >= self.rows:
                break
            if self.n_odd == len(self.odd):
                self.odd = grown("i", self.odd, 4 * len(self.odd))
            elif names.count == names.room:
                names.grow(bytes(self.written))
            elif not self._keeps(row):
                self.room = grown("B", self.room, 2 * len(self.room) + 2 * (self.stop[row] - self.start[row]))
            else:
                self.written = bytearray(self.written) + bytearray(3 * len(self.written))

    def kept_texts(self) -> bytes:
        """What the views into TEXTS point into."""
        return bytes(memoryview(self.room)[: self.n_kept])

    def signature_pool(self) -> bytes:
        """What the views into SIGNATURES point into."""
        return bytes(self.written[: self.used])

    def signature_texts(self) -> list[bytes]:
        return self.signatures.values(self.signature_pool())

    def odd_rows(self) -> list[int]:
        return [self.odd[i] for i in range(self.n_odd)]

    def _read(self, row: int) -> int:
        """Go on until the rows or some room end; where it stopped."""
        while row < self.rows:
            if self.used + LONGEST + _MOST > len(self.written) or self.n_odd == len(self.odd):
                return row
            if 2 * self.n_signatures == len(self.places) or not self._keeps(row):
                return row
            if self.joined[row]:
                self.b = self.arena
                usual = self._texts(row)
                self.b = self.data
            else:
                usual = self._texts(row)
            if not usual:
                self.odd[self.n_odd] = row
                self.n_odd += 1
            row += 1
        return row

    def _codes(self) -> int:
        """The columns of codes and numbers."""
        row = reasons = 0
        while row < self.rows:
            line, kind = self.first[row], self.kind[row]
            reasons |= self.reason[row]
            process, site = self.process[line], self.site[line]
            thread = self.thread_of[line]
            pid = thread
            unit = file = number = -1
            node = self.no_node
            if process >= 0:
                unit = self.unit_of[process]
                if self.node_of[process] >= 0:
                    node = self.node_of[process]
                if self.pid_of[process] != NONE:
                    pid = self.pid_of[process]
            if site >= 0:
                file, number = self.file_of[site], self.line_of[site]
            self.node[row], self.unit[row] = node, unit
            self.pid[row], self.thread[row] = pid, thread
            self.file[row], self.source_line[row] = file, number
            severity = self.head[line]
            if severity < 0 and self.json[line] >= LOGFMT:
                severity = self.json[line] - LOGFMT
            self.severity[row], self.reason_code[row] = severity, self.reason[row] - 1
            self.event_kind[row] = -1 if kind < 0 else self.event[kind]
            self.line[row] = self.line_base + line
            self.offset[row] = self.offset_base + self.at[line]
            row += 1
        self.has_reasons = reasons != 0
        return 0

    def _keeps(self, row: int) -> bool:
        """Whether there is room for all texts of a record: its message, and what else is named in its body."""
        return self.n_kept + 2 * (self.stop[row] - self.start[row]) <= len(self.kept)

    def _texts(self, row: int) -> bool:
        """The texts of a record; False where it is not as usual."""
        p, e, kind = self.start[row], self.stop[row], self.kind[row]
        if self.reason[row] == LINE_TOO_LONG or (kind >= 0 and self.slow[kind]):
            return False
        valid = ops.valid_text(self.b, p, e)
        if valid == 0 or (kind >= 0 and not self._converts(row, kind, p)):
            return False
        self.kept_from = self.kept_to = p
        quoted = self.message_end[row] >= 0
        m, m_end = (p + 1, p + self.message_end[row] - 1) if quoted else (p, e)
        literal = False
        if kind >= 0:
            text = self.text[kind]
            if self.code_of[text] == 0:
                q = ops.copy(self.written, self.used, self.texts, self.text_at[text], self.text_end[text])
                self.code_of[text] = self._code(q) + 1
            code = self.code_of[text] - 1
            n = self.text_end[text] - self.text_at[text]
            literal = self.literal[text] != 0 and n == m_end - m
            literal = literal and ops.starts(self.b, m, m_end, self.texts, self.text_at[text], n)
        if quoted and not literal and ops.find(self.b, 92, m, m_end) < m_end:
            return False
        if kind < 0:
            if self.verdict[row] == STRUCTURED:
                if m_end - m > LONGEST:
                    return False
                literal = True
                code = self._code(ops.copy(self.written, self.used, self.b, m, m_end))
            elif valid == 2:
                code = self._code(self._mask(m, m_end))
            else:
                return False
        self.signature[row] = code
        if literal:
            # A message is its own signature.
            ops.put_view(self.message, 4 * row, self.b, m, m_end, SIGNATURES, self.places[2 * code])
        else:
            self._keep(m, m_end)
            self._put(self.message, row, m, m_end)
        return self._names(row, kind, p)

    def _keep(self, p: int, e: int) -> int:
        """Copy b[p:e]."""
        self.kept_from, self.kept_to, self.shift = p, e, self.n_kept - p
        self.n_kept = ops.copy(self.kept, self.n_kept, self.b, p, e)
        return 0

    def _put(self, views: array[int], row: int, p: int, e: int) -> int:
        """Put down the view of b[p:e], which is copied where it was not and has to be."""
        if e - p > 12 and (p < self.kept_from or e > self.kept_to):
            self._keep(p, e)
        ops.put_view(views, 4 * row, self.b, p, e, TEXTS, p + self.shift)
        return 0

    def _code(self, q: int) -> int:
        """The code of the signature that was written up to q; it is kept if it is new."""
        found = ops.lookup(self.slots, self.places, self.written, self.written, self.used, q)
        if found < 0:
            n = self.n_signatures
            self.slots[-1 - found] = n + 1
            self.places[2 * n], self.places[2 * n + 1] = self.used, q
            self.n_signatures, self.used = n + 1, q
            found = n
        return found

    def _mask(self, p: int, e: int) -> int:
        """Write the signature of the free text b[p:e], which is ASCII, behind the others; where it ends. See signature.py."""
        e = min(ops.find(self.b, 10, p, e), p + LONGEST)
        start = q = self.used
        most = start + _MOST
        while p < e:
            c = self.b[p]
            if c == 32 or 9 <= c <= 13 or 28 <= c <= 31:
                p += 1
                continue
            if q == most:
                break
            if q > start:
                self.written[q] = 32
                q += 1
            word, digits = q, False
            while p < e:
                c = self.b[p]
                if c == 32 or 9 <= c <= 13 or 28 <= c <= 31:
                    break
                if c == 34:
                    end = ops.find(self.b, 34, p + 1, e)
                    if end < e:
                        if q < most:
                            self.written[q] = 34
                            q += 1
                        if q < most:
                            self.written[q] = 42
                            q += 1
                        p = end
                elif 48 <= c <= 57:
                    digits = True
                if q < most:
                    self.written[q] = c
                    q += 1
                p += 1
            if digits:
                q = word
                if q < most:
                    self.written[q] = 42
                    q += 1
        return q

    def _names(self, row: int, kind: int, p: int) -> bool:
        """The pod and the container of a record; False where one is not as usual."""
        pod_at = pod_end = uid_at = uid_end = at = end = -1
        pair = self.pair_first[row]
        while pair < self.pair_first[row + 1]:
            k, size = p + self.pairs[4 * pair], self.pairs[4 * pair + 1] - self.pairs[4 * pair]
            v, v_end = p + self.pairs[4 * pair + 2], p + self.pairs[4 * pair + 3]
            pair += 1
            if size == 3 and pod_at < 0 and ops.starts(self.b, k, k + 3, self.keys, 0, 3):
                pod_at, pod_end = v, v_end
            elif size == 6 and uid_at < 0 and ops.starts(self.b, k, k + 6, self.keys, 3, 6):
                uid_at, uid_end = v, v_end
            elif size == 13 and at < 0 and ops.starts(self.b, k, k + 13, self.keys, 9, 13):
                at, end = v, v_end
        if kind >= 0 and self.pod_hole[kind] >= 0:
            i = 2 * (self.span_first[row] + self.pod_hole[kind])
            if self.spans[i] >= 0:
                pod_at, pod_end = p + self.spans[i], p + self.spans[i + 1]
        told = 0
        if kind >= 0 and self.telling_hole[kind] >= 0:
            i = 2 * (self.span_first[row] + self.telling_hole[kind])
            if self.spans[i] >= 0:
                told = self._told(p + self.spans[i], p + self.spans[i + 1])
                if told < 0:
                    return False
                if told > 0:
                    if self.pod_hole[kind] >= 0 and pod_at >= 0:
                        # It is none of the record's any more, but it has to convert.
                        if not self._inner(pod_at, pod_end) or not self._pod(self.value_at, self.value_end):
                            return False
                    pod_at, pod_end = self.pod_at, self.pod_end
        if pod_at >= 0:
            if not self._inner(pod_at, pod_end) or not self._pod(self.value_at, self.value_end):
                return False
            if pod_at < self.kept_from or pod_end > self.kept_to:
                self._keep(self.value_at, self.value_end)
            self._put(self.pod, row, self.name_at, self.name_end)
            ops.put_bit(self.has_pod, row)
            if self.space_end > self.space_at:
                self._put(self.namespace, row, self.space_at, self.space_end)
                ops.put_bit(self.has_namespace, row)
            if self.uid_end == self.uid_at and uid_at >= 0:
                if not self._inner(uid_at, uid_end):
                    return False
                self.uid_at, self.uid_end = self.value_at, self.value_end
            if self.uid_end > self.uid_at:
                self._put(self.pod_uid, row, self.uid_at, self.uid_end)
                ops.put_bit(self.has_pod_uid, row)
        self.value_at = self.value_end = p
        found = False
        if told > 0 and at < 0:
            self.value_at, self.value_end = self.told_at, self.told_end
            found = True
        if at >= 0:
            if not self._inner(at, end):
                return False
            found = self.value_end > self.value_at
        if not found and kind >= 0 and self.container_hole[kind] >= 0:
            i = 2 * (self.span_first[row] + self.container_hole[kind])
            if self.spans[i] >= 0:
                if not self._inner(p + self.spans[i], p + self.spans[i + 1]):
                    return False
                found = True
        if at >= 0 and not found:
            return False
        if found:
            self._put(self.container, row, self.value_at, self.value_end)
            ops.put_bit(self.has_container, row)
        return True

    def _told(self, p: int, e: int) -> int:
        """Whether a text tells of a back-off: 1, its container and pod in `told_at` and `pod_at`; 0; or -1: in another form.

        `back-off 5m0s restarting failed container=web pod=web-0_default(…)`, quoted or not.
        """
        q = ops.locate(self.b, p, e, self.keys, 45, 29)
        if q < 0:
            return 0
        w = q
        while w > p and self.b[w - 1] > 32 and self.b[w - 1] != 34:
            w -= 1
        if w == q or w - p < 9 or (self.b[w - 9] != 66 and self.b[w - 9] != 98):
            return -1
        if not ops.starts(self.b, w - 8, q, self.keys, 74, 8) or not self._duration(w, q):
            return -1
        self.told_at = q + 29
        q = self._told_end(q + 29, e)
        self.told_end = q
        if q == self.told_at or not ops.starts(self.b, q, e, self.keys, 82, 5):
            return -1
        self.pod_at = q + 5
        q = self._told_end(q + 5, e)
        self.pod_end = q
        if q < e and self.b[q] != 32 and self.b[q] != 34 and self.b[q] != 92:
            return -1
        return 1 if q > self.pod_at and self._pod(self.pod_at, q) else -1

    def _told_end(self, p: int, e: int) -> int:
        """Where a word ends, or the text that is quoted around it."""
        while p < e and 32 < self.b[p] < 127 and self.b[p] != 34 and self.b[p] != 92:
            p += 1
        return p

    def _inner(self, p: int, e: int) -> bool:
        """Whether a value is a text without escapes: `value_at` to `value_end`, quotes off."""
        n = e - p
        if n == 0:
            return False
        c = self.b[p]
        if c == 34:
            self.value_at, self.value_end = p + 1, e - 1
            return n > 1 and self.b[e - 1] == 34 and ops.find(self.b, 92, p, e) == e
        self.value_at, self.value_end = p, e
        if c == 123 or c == 91 or c == 60:
            return False
        if n <= 5 and (
            (n == 4 and ops.starts(self.b, p, e, self.keys, 22, 4))
            or (n == 5 and ops.starts(self.b, p, e, self.keys, 26, 5))
            or (n == 4 and ops.starts(self.b, p, e, self.keys, 31, 4))
        ):
            return False
        while p < e:
            c = self.b[p]
            if not (48 <= c <= 57 or c == 46 or c == 101 or c == 43 or c == 45):
                return True
            p += 1
        return False  # it may be a number

    def _pod(self, p: int, e: int) -> bool:
        """A pod's name, namespace and uid in b[p:e], as `name_namespace(uid)` or `namespace/name`; ASCII."""
        self.space_at = self.space_end = self.uid_at = self.uid_end = p
        q = ops.run(self.b, p, e, self.pod_stops)
        if q == p:
            return False
        if q == e:
            self.name_at, self.name_end = p, e
            return True
        c = self.b[q]
        if c == 47:
            self.space_end = q
            self.name_at, self.name_end = q + 1, e
            return q + 1 < e and ops.run(self.b, q + 1, e, self.pod_stops) == e
        if c != 95:
            return False
        self.name_at, self.name_end = p, q
        self.space_at = q + 1
        q = ops.run(self.b, q + 1, e, self.pod_stops)
        self.space_end = q
        if q == self.space_at or q >= e or self.b[q] != 40 or self.b[e - 1] != 41:
            return False
        self.uid_at, self.uid_end = q + 1, e - 1
        return ops.run(self.b, q + 1, e, self.pod_stops) == e - 1

    def _converts(self, row: int, kind: int, p: int) -> bool:
        """Whether all values of a typed record are sure to convert."""
        span, hole = self.span_first[row], self.hole_first[kind]
        pod = hole + self.pod_hole[kind] if self.pod_hole[kind] >= 0 else -1
        while hole < self.hole_first[kind + 1]:
            check, v, e = self.checks[hole], self.spans[2 * span], self.spans[2 * span + 1]
            sure = check == SURE or v < 0 or hole == pod  # a pod is read when it is written down
            hole += 1
            span += 1
            if sure:
                continue
            v += p
            e += p
            if v < e and self.b[v] == 34:
                if e - v < 2 or self.b[e - 1] != 34 or ops.find(self.b, 92, v, e) < e:
                    return False
                v += 1
                e -= 1
            if not self._passes(check, v, e):
                return False
        return True

    def _passes(self, check: int, p: int, e: int) -> bool:
        """Whether an unquoted value is sure to convert."""
        if check == GO:
            return self._json(p, e) or self._go(p, e)
        if p >= e:
            return False
        if check == WORD:
            return ops.plain_end(self.b, p, e) == e
        if check == POD:
            return self._pod(p, e)
        if e - p > 64:
            return False
        if check == BOOL:
            n = e - p
            return (n == 4 and ops.starts(self.b, p, e, self.keys, 22, 4)) or (
                n == 5 and ops.starts(self.b, p, e, self.keys, 26, 5)
            )
        if check == DURATION:
            return self._duration(p, e)
        if self.b[p] == 45 or self.b[p] == 43:
            p += 1
        q = ops.digits(self.b, p, e, 18)
        if q > p and q < e and check != INT and self.b[q] == 46:
            p = q + 1
            q = ops.digits(self.b, p, e, 18)
        if check == QUANTITY and q > p and q < e and ops.find(self.keys, self.b[q], 35, 41) < 41:
            q += 1
            if q < e and self.b[q] == 105:
                q += 1
            elif self.b[q - 1] == 75:
                return False  # K is Ki only
        return q == e and q > p

    def _json(self, p: int, e: int) -> bool:
        r"""Whether a value is sure to be read as JSON: an object or a list, without \u escapes and long numbers."""
        depth = 0
        if p == e or (self.b[p] != 123 and self.b[p] != 91):
            return False
        while True:
            # At a value.
            p = ops.blanks(self.b, p, e)
            c = self.b[p] if p < e else 0
            if c == 123 or c == 91:
                if depth == len(self.open):
                    return False
                self.open[depth] = _STRUCT if c == 123 else _LIST
                depth += 1
                p = ops.blanks(self.b, p + 1, e)
                if p < e and self.b[p] == c + 2:
                    p += 1
                    depth -= 1
                elif c == 91:
                    continue
                else:
                    p = self._member(p, e)
                    if p < 0:
                        return False
                    continue
            else:
                p = self._string(p, e) if c == 34 else self._word(p, e)
                if p < 0:
                    return False
            # Behind a value.
            while depth > 0:
                p = ops.blanks(self.b, p, e)
                if p >= e:
                    return False
                if self.b[p] == (125 if self.open[depth - 1] == _STRUCT else 93):
                    p += 1
                    depth -= 1
                    continue
                if self.b[p] != 44:
                    return False
                p = ops.blanks(self.b, p + 1, e)
                if self.open[depth - 1] == _STRUCT:
                    p = self._member(p, e)
                    if p < 0:
                        return False
                break
            if depth == 0:
                return p == e

    def _member(self, p: int, e: int) -> int:
        """Where the value behind `"key":` at p begins, or -1."""
        if p >= e or self.b[p] != 34:
            return -1
        p = self._string(p, e)
        if p < 0:
            return -1
        p = ops.blanks(self.b, p, e)
        return p + 1 if p < e and self.b[p] == 58 else -1

    def _string(self, p: int, e: int) -> int:
        """Where the JSON string at p ends, or -1."""
        p += 1
        while p < e:
            c = self.b[p]
            if c == 34:
                return p + 1
            if c < 32:
                return -1
            if c == 92:
                p += 1
                c = self.b[p] if p < e else 0
                if c != 34 and c != 92 and c != 47 and c != 98 and c != 102 and c != 110 and c != 114 and c != 116:
                    return -1
            p += 1
        return -1

    def _word(self, p: int, e: int) -> int:
        """Where the JSON number, `true`, `false` or `null` at p ends, or -1."""
        if ops.starts(self.b, p, e, self.keys, 22, 4) or ops.starts(self.b, p, e, self.keys, 31, 4):
            return p + 4
        if ops.starts(self.b, p, e, self.keys, 26, 5):
            return p + 5
        if p < e and self.b[p] == 45:
            p += 1
        q = ops.digits(self.b, p, e, 18)
        if q == p or (q > p + 1 and self.b[p] == 48):
            return -1
        if q < e and self.b[q] == 46:
            p = q + 1
            q = ops.digits(self.b, p, e, 18)
            if q == p:
                return -1
        return q

    def _go(self, p: int, e: int) -> bool:
        """Whether a value is sure to be read by go.py: what it reads, but without what it has to try twice; ASCII."""
        if p == e:
            return True
        if self.b[p] == 60 and p + 1 < e and self.b[p + 1] == 10:
            return False  # what stands in a block's lines
        depth = 0
        start = p
        while True:
            # At a value.
            if p < e and self.b[p] == 38:
                p += 1
            c = self.b[p] if p < e else 0
            if c == 109 and ops.starts(self.b, p, e, self.keys, 41, 4):
                p += 3
                c = _MAP
            elif c == 91:
                c = _LIST
            elif c == 123:
                c = _STRUCT if p + 1 < e and (self.b[p + 1] == 125 or self._key(p + 1, e, True) > 0) else _TUPLE
            elif depth == 0:
                return p == start and ops.valid_text(self.b, p, e) == 2
            else:
                return False
            if depth == len(self.open):
                return False
            self.open[depth] = c
            depth += 1
            p += 1
            # At a member, or behind one.
            fresh = True
            while True:
                if p >= e:
                    return False
                kind = self.open[depth - 1]
                if self.b[p] == (125 if kind == _STRUCT or kind == _TUPLE else 93):
                    p += 1
                    depth -= 1
                    if depth == 0:
                        return p == e
                    fresh = False
                    continue
                if not fresh:
                    if self.b[p] != 32:
                        return False
                    p += 1
                if kind == _STRUCT or kind == _MAP:
                    p = self._key(p, e, kind == _STRUCT)
                    if p < 0:
                        return False
                c = self.b[p] if p < e else 0
                if c == 38 or c == 91 or c == 123 or (c == 109 and ops.starts(self.b, p, e, self.keys, 41, 4)):
                    break
                p = self._scalar(p, e, kind)
                if p < 0:
                    return False
                fresh = False

    def _key(self, p: int, e: int, name: bool) -> int:
        """Where the value behind `name:` or `key:` at p begins, or -1."""
        q = p
        while q < e:
            c = self.b[q]
            if c == 58:
                return q + 1 if q > p else -1
            if name:
                letter = 65 <= c <= 90 or 97 <= c <= 122 or c == 95
                if not letter and not (48 <= c <= 57 and q > p):
                    return -1
            elif c <= 32 or c >= 127 or c == 91 or c == 93 or c == 123 or c == 125:
                return -1
            q += 1
        return -1

    def _scalar(self, p: int, e: int, kind: int) -> int:
        """Where the scalar at p ends, or -1."""
        start = p
        while p < e:
            c = self.b[p]
            if c >= 127 or c < 32 or c == 91 or c == 123:
                return -1
            if c == 93 or c == 125:
                break
            if c == 32 and (kind == _LIST or kind == _TUPLE or self._key(p + 1, e, kind == _STRUCT) > 0):
                break
            p += 1
        return -1 if p == start and (kind == _LIST or kind == _TUPLE) else p

    def _duration(self, p: int, e: int) -> bool:
        """A Go duration: numbers, each with its unit; ASCII."""
        if self.b[p] == 45:
            p += 1
        if p + 1 == e and self.b[p] == 48:
            return True
        if p == e:
            return False
        while p < e:
            q = ops.digits(self.b, p, e, 18)
            if q == p:
                return False
            if q < e and self.b[q] == 46:
                p = q + 1
                q = ops.digits(self.b, p, e, 18)
                if q == p:
                    return False
            if q >= e:
                return False
            c = self.b[q]
            p = q + 1
            if c == 109 and p < e and self.b[p] == 115:
                p += 1
            elif (c == 194 or c == 206) and p + 1 < e and self.b[p] == (181 if c == 194 else 188) and self.b[p + 1] == 115:
                p += 2  # µs, with either of its letters
            elif c == 117 or c == 110:
                if p >= e or self.b[p] != 115:
                    return False
                p += 1
            elif c != 104 and c != 109 and c != 115:
                return False
        return True


class Bits:
    """Which values of a column are there, a bit a value, as Arrow lays it out."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.found = bytearray((rows + 7) // 8)

    def of(self, column: Any, none: int) -> bytearray | None:
        """The bits of a column of int8, int32 or int64, in which `none` stands for no value; None where all are there.

        In those of int8 and int32, codes often, it becomes 0: there are readers that look at what is not there.
        """
        self.bits = self.found
        if column.itemsize == 8:
            self.q = column
            missing = ops.mark_q(self.q, self.rows, none, self.bits)
        elif column.itemsize == 4:
            self.i = column
            missing = ops.mark_i(self.i, self.rows, none, self.bits)
        else:
            self.b = column
            missing = ops.mark_b(self.b, self.rows, none, self.bits)
        return self.found if missing else None
