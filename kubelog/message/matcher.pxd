cimport cython
from kubelog.ingest cimport ops

cdef Py_ssize_t NODE, WORDING, _USUAL
cdef int OP_BLANKS, OP_END, OP_HOLE, OP_LITERAL, OP_QUOTED, HEADER, LOGFMT, NO_HEADER, PLAIN, STRUCTURED, TYPED, UNPARSED, _FULL

@cython.final
cdef class Matcher:
    cdef object block, decide
    cdef dict escaped
    cdef const unsigned char[::1] b, data, arena, pool
    cdef const int[::1] literals, ops, nodes, edges, ends, wordings, names, line_wordings, message_ends
    cdef int[::1] message_slots, message_spans
    cdef Py_ssize_t rows
    cdef int[::1] first, process, site, unit_of, file_of, unit_spans, file_spans
    cdef int[::1] start, first_stop, stop, kind, span_first, message_end, pair_first, pairs, spans
    cdef signed char[::1] joined, verdict, reason, json
    cdef int[::1] hint, deepest, file_openings, unit_openings
    cdef Py_ssize_t count, at, anywhere, opened

    @cython.locals(row=Py_ssize_t)
    cpdef read(self)
    @cython.locals(kind=Py_ssize_t)
    cdef Py_ssize_t _read(self, Py_ssize_t row) except -1 nogil
    @cython.locals(verdict=cython.int, kind=Py_ssize_t)
    cdef Py_ssize_t _kind(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first_end, Py_ssize_t e) except -3 nogil
    @cython.locals(number=Py_ssize_t)
    cdef inline Py_ssize_t _structured(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first_end, Py_ssize_t e) except -3 nogil
    @cython.locals(message=Py_ssize_t, q=Py_ssize_t, i=Py_ssize_t, stop=Py_ssize_t, number=Py_ssize_t, found=Py_ssize_t)
    cdef inline Py_ssize_t _message(self, Py_ssize_t row, Py_ssize_t start, Py_ssize_t p, Py_ssize_t e, bint quoted) except -3 nogil
    @cython.locals(i=Py_ssize_t, stop=Py_ssize_t, key=Py_ssize_t, text=Py_ssize_t, size=Py_ssize_t, first=Py_ssize_t, pair=Py_ssize_t, k=Py_ssize_t, v=Py_ssize_t, v_end=Py_ssize_t)
    cdef bint _holds(self, Py_ssize_t row, Py_ssize_t start, Py_ssize_t number) except -1 nogil
    @cython.locals(number=Py_ssize_t)
    cdef inline Py_ssize_t _literal(self, Py_ssize_t p, Py_ssize_t e, bint quoted) except -3 nogil
    cdef inline Py_ssize_t names_at(self, Py_ssize_t number, Py_ssize_t column) except -2 nogil
    @cython.locals(at=Py_ssize_t, i=Py_ssize_t, expected=Py_ssize_t, pair=Py_ssize_t, k=Py_ssize_t, size=Py_ssize_t, tried=Py_ssize_t, literal=Py_ssize_t, stop=Py_ssize_t)
    cdef inline bint _fields(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first, Py_ssize_t n) except -1 nogil
    @cython.locals(number=Py_ssize_t)
    cdef Py_ssize_t _escaped(self, Py_ssize_t p, Py_ssize_t e, bint quoted) except -3 with gil
    @cython.locals(i=Py_ssize_t, stop=Py_ssize_t, line=Py_ssize_t, unit=Py_ssize_t, file=Py_ssize_t, p=Py_ssize_t, e=Py_ssize_t, n=Py_ssize_t)
    cdef bint _named(self, Py_ssize_t row, Py_ssize_t number, bint program) except -1 nogil
    cdef inline bint _elsewhere(self, Py_ssize_t row, Py_ssize_t number) except -1 nogil
    @cython.locals(site=Py_ssize_t, node=Py_ssize_t, kind=Py_ssize_t)
    cdef Py_ssize_t _text(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first_end, Py_ssize_t e, bint plain) except -3 nogil
    @cython.locals(q=Py_ssize_t, found=Py_ssize_t, k=Py_ssize_t, kind=Py_ssize_t)
    cdef Py_ssize_t _below(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first_end, Py_ssize_t e, bint plain, Py_ssize_t node) except -3 nogil
    @cython.locals(i=Py_ssize_t, end=Py_ssize_t, lead=Py_ssize_t, stop=Py_ssize_t, several=bint, turn=cython.int, k=Py_ssize_t, number=Py_ssize_t, stands=cython.int)
    cdef inline Py_ssize_t _at(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first_end, Py_ssize_t e, bint plain, Py_ssize_t node) except -3 nogil
    @cython.locals(line=Py_ssize_t, i=Py_ssize_t, n=Py_ssize_t, unit=Py_ssize_t, file=Py_ssize_t, stop=Py_ssize_t, number=Py_ssize_t, stands=cython.int)
    cdef Py_ssize_t _opening(self, Py_ssize_t row, Py_ssize_t p, Py_ssize_t first_end, Py_ssize_t e, bint plain) except -3 nogil
    @cython.locals(start=Py_ssize_t, first=Py_ssize_t, i=Py_ssize_t, number=Py_ssize_t, stands=cython.int, k=Py_ssize_t)
    cdef Py_ssize_t _line(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(i=Py_ssize_t)
    cdef bint _decide(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t number, Py_ssize_t first) except -1 with gil
    cdef inline int _push(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(first=Py_ssize_t, p=Py_ssize_t, code=cython.int, q=Py_ssize_t)
    cdef int _pattern(self, Py_ssize_t start, Py_ssize_t e, Py_ssize_t step, Py_ssize_t lead) except -3 nogil
    @cython.locals(code=cython.int, n=Py_ssize_t, q=Py_ssize_t)
    cdef inline Py_ssize_t _fixed(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t step) except -3 nogil
    @cython.locals(code=cython.int, literal=Py_ssize_t, n=Py_ssize_t, q=Py_ssize_t, alone=bint)
    cdef inline Py_ssize_t _hole_end(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t step) except -3 nogil

