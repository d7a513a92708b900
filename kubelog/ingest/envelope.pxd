cimport cython
from kubelog.ingest cimport ops

cdef int BARE, SHORT, IDENTIFIER, MAX_LINE, MAX_INDENT, _MONTH_BYTES, _HOST_BYTES, _FULL
cdef long long NONE

@cython.final
cdef class EnvelopeReader:
    cdef object block
    cdef const unsigned char[::1] b
    cdef const unsigned char[::1] pool
    cdef const int[::1] literals, heads, two_words
    cdef Py_ssize_t lines
    cdef int[::1] at, end, text_at, month, process
    cdef signed char[::1] envelope
    cdef long long[::1] stamp
    cdef int[::1] node_slots, node_spans, unit_slots, unit_spans, month_slots, month_spans, process_slots, process_spans
    cdef Py_ssize_t n_nodes, n_units, n_months, n_processes
    cdef int[::1] node_of, unit_of
    cdef long long[::1] pid_of
    cdef Py_ssize_t month_at, month_end, node_at, node_end, unit_at, unit_end, process_end
    cdef long long micros, pid
    cdef int found
    cdef Py_ssize_t date_at, date_size, date_end
    cdef int date_month
    cdef long long date_micros
    cdef Py_ssize_t last_at, last_size, other_at, other_size
    cdef int last_process, other_process

    cpdef read(self, Py_ssize_t line)
    cdef _bind(self, object block)
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t, q=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _read(self, Py_ssize_t line) except -1 nogil
    @cython.locals(q=Py_ssize_t, text=Py_ssize_t, month=Py_ssize_t, process=Py_ssize_t)
    cdef inline Py_ssize_t _envelope(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(n=Py_ssize_t, c=Py_ssize_t, q=Py_ssize_t, d=Py_ssize_t, d_end=Py_ssize_t, day="long long", second="long long", f=Py_ssize_t, micros="long long", i=Py_ssize_t)
    cdef inline Py_ssize_t _stamp(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(place=Py_ssize_t, second="long long")
    cdef inline Py_ssize_t _date(self) except -3 nogil
    @cython.locals(q=Py_ssize_t, d=Py_ssize_t, i=Py_ssize_t)
    cdef Py_ssize_t _month_end(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(i=Py_ssize_t, k=Py_ssize_t, at=Py_ssize_t, n=Py_ssize_t, c=cython.int)
    cdef bint _is_first_word(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(n=Py_ssize_t, at=Py_ssize_t, process=cython.int)
    cdef inline Py_ssize_t _known(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(process=Py_ssize_t)
    cdef bint _learn(self, Py_ssize_t p, Py_ssize_t text) except -1 nogil
    @cython.locals(h=Py_ssize_t, host=bint, i=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _host(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, d=Py_ssize_t)
    cdef Py_ssize_t _program(self, Py_ssize_t p, Py_ssize_t e, bint with_pid) except -3 nogil
    @cython.locals(p=Py_ssize_t, place=Py_ssize_t, unit=Py_ssize_t, node=Py_ssize_t, code=Py_ssize_t)
    cdef Py_ssize_t _process(self) except -3 nogil
