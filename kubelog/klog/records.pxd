cimport cython
from kubelog.ingest cimport ops

cdef int BARE, COMPOSE, CRI, PREFIXED, STAMPED, STERN, HEADER, MAX_LINE, PLAIN, STRUCTURED, UNPARSED, NO_HEADER, LINE_TOO_LONG, BLANK_LINE, MESSAGE_LOST, LOGFMT
cdef int GAP, MAX_LINES, MAX_BYTES, _INDENT, _UNCLOSED, _STACKED

@cython.final
cdef class Joiner:
    cdef object block
    cdef const unsigned char[::1] b
    cdef const unsigned char[::1] pool, words
    cdef bint has_pairs, has_glued
    cdef signed char[::1] glued
    cdef const int[::1] literals, heads, stacks, blocks, crashes
    cdef Py_ssize_t lines, before, oldest, count, n_processes, n_lines
    cdef int[::1] first, last, members, size, follow, latest
    cdef signed char[::1] flags
    cdef int[::1] at, end, text_at, body_at, process
    cdef signed char[::1] envelope, head, json
    cdef int[::1] r_first, r_member_first, r_members, r_start, r_first_stop, r_stop
    cdef signed char[::1] r_joined, r_verdict, r_reason
    cdef unsigned char[::1] arena

    cpdef run(self)
    cdef _bind(self, object block)
    @cython.locals(line=Py_ssize_t, before=Py_ssize_t, owner=Py_ssize_t, process=Py_ssize_t)
    cdef int _run(self) except -1 nogil
    @cython.locals(record=Py_ssize_t)
    cdef inline Py_ssize_t _begin(self, Py_ssize_t line) except -2 nogil
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t)
    cdef int _join(self, Py_ssize_t record, Py_ssize_t line) except -1 nogil
    @cython.locals(e=Py_ssize_t)
    cdef inline bint _opens_block(self, Py_ssize_t line) except -1 nogil
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t)
    cdef inline bint _crashes(self, Py_ssize_t line) except -1 nogil
    cdef inline bint _closed(self, Py_ssize_t record) except -1 nogil
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t)
    cdef Py_ssize_t _continued(self, Py_ssize_t line, Py_ssize_t record) except -2 nogil
    @cython.locals(first=Py_ssize_t, p=Py_ssize_t, e=Py_ssize_t, indent=Py_ssize_t)
    cdef Py_ssize_t _continued_bare(self, Py_ssize_t line, Py_ssize_t record) except -2 nogil
    cdef inline bint _is_lost(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(first=Py_ssize_t, p=Py_ssize_t, stop=Py_ssize_t)
    cdef Py_ssize_t _text(self, Py_ssize_t record, Py_ssize_t line) except -1 nogil
    @cython.locals(keep=Py_ssize_t, lines=Py_ssize_t)
    cpdef Py_ssize_t settle(self, bint final, object rows) except -1
    cpdef glue(self, object lines)
    cdef _bind_rows(self, object rows)
    @cython.locals(keep=Py_ssize_t, process=Py_ssize_t, record=Py_ssize_t, line=Py_ssize_t)
    cdef Py_ssize_t _settled(self) except -1 nogil
    @cython.locals(size=Py_ssize_t, record=Py_ssize_t)
    cdef Py_ssize_t _joined_size(self, Py_ssize_t keep) except -1 nogil
    @cython.locals(arena=Py_ssize_t, member=Py_ssize_t, record=Py_ssize_t, line=Py_ssize_t, p=Py_ssize_t, e=Py_ssize_t, reason=cython.int, verdict=cython.int)
    cdef int _write(self, Py_ssize_t keep) except -1 nogil
    @cython.locals(line=Py_ssize_t, q=Py_ssize_t, p=Py_ssize_t, e=Py_ssize_t, first_stop=Py_ssize_t, stop=Py_ssize_t)
    cdef Py_ssize_t _join_body(self, Py_ssize_t record, Py_ssize_t at) except -1 nogil
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t, message=Py_ssize_t, message_end=Py_ssize_t, q=Py_ssize_t, turn=cython.int, k=Py_ssize_t, n=Py_ssize_t, v=Py_ssize_t)
    cdef Py_ssize_t _write_object(self, Py_ssize_t line, Py_ssize_t at) except -1 nogil
    @cython.locals(e=Py_ssize_t, message=Py_ssize_t, q=Py_ssize_t, turn=cython.int, p=Py_ssize_t, k=Py_ssize_t, n=Py_ssize_t, v=Py_ssize_t)
    cdef Py_ssize_t _write_logfmt(self, Py_ssize_t line, Py_ssize_t at) except -1 nogil
    cdef Py_ssize_t _write_value(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t q, bint quoted) except -1 nogil
    cdef bint _is_header(self, Py_ssize_t k, Py_ssize_t n, Py_ssize_t v, Py_ssize_t e) except -1 nogil

cdef bint _is_whole(int envelope) noexcept nogil
