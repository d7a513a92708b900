cimport cython
from kubelog.ingest cimport ops

cdef int BARE, SHORT, CRI, DATED, STAMPED, SYSLOG, MONOTONIC, PREFIXED, IDENTIFIER, COMPOSE, STERN
cdef int MAX_LINE, MAX_INDENT, NO_ZONE, WITH_YEAR, _MONTH_BYTES, _HOST_BYTES, _FULL
cdef long long NONE

@cython.final
cdef class EnvelopeReader:
    cdef object block
    cdef const unsigned char[::1] b
    cdef const unsigned char[::1] pool
    cdef const unsigned char[::1] words
    cdef const unsigned char[::1] begins
    cdef const int[::1] literals, heads, phrases, days_before
    cdef Py_ssize_t lines
    cdef int[::1] at, end, text_at, month, process, ahead
    cdef signed char[::1] envelope, odd
    cdef long long[::1] stamp
    cdef int[::1] node_slots, node_spans, unit_slots, unit_spans, month_slots, month_spans, process_slots, process_spans
    cdef int[::1] pod_slots, pod_spans
    cdef Py_ssize_t n_nodes, n_units, n_months, n_processes, n_pods
    cdef int[::1] node_of, unit_of, pod_of
    cdef long long[::1] pid_of
    cdef Py_ssize_t month_at, month_end, node_at, node_end, unit_at, unit_end, pod_at, pod_end, process_at, process_end
    cdef Py_ssize_t second_at, fraction
    cdef long long micros, pid, second_micros
    cdef int found, minutes
    cdef bint is_odd, alone
    cdef Py_ssize_t out_process, err_process
    cdef Py_ssize_t date_at, date_size, date_end
    cdef int date_month
    cdef long long date_micros
    cdef Py_ssize_t last_at, last_size, other_at, other_size
    cdef int last_process, other_process

    cpdef read(self, Py_ssize_t line)
    cdef _bind(self, object block)
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t, q=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _read(self, Py_ssize_t line) except -1 nogil
    @cython.locals(c=cython.int, start=Py_ssize_t, q=Py_ssize_t, d=Py_ssize_t, text=Py_ssize_t, month=Py_ssize_t)
    cdef Py_ssize_t _envelope(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(c=cython.int)
    cdef bint _pasted(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(process=Py_ssize_t)
    cdef Py_ssize_t _found(self, int envelope, Py_ssize_t text, Py_ssize_t line) except -3 nogil
    @cython.locals(d=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _behind_instant(self, int envelope, Py_ssize_t q, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    cdef bint _is_go_time(self, Py_ssize_t q, Py_ssize_t e) except -1 nogil
    cdef int _dates(self, Py_ssize_t line) except -1 nogil
    @cython.locals(c=cython.int, q=Py_ssize_t, text=Py_ssize_t, process=Py_ssize_t)
    cdef Py_ssize_t _dated(self, Py_ssize_t p, Py_ssize_t e, bint whole, Py_ssize_t line) except -3 nogil
    cdef int _nobody(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(text=Py_ssize_t)
    cdef inline Py_ssize_t _whose(self, Py_ssize_t q, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(i=Py_ssize_t, q=Py_ssize_t, z=Py_ssize_t, d=Py_ssize_t)
    cdef Py_ssize_t _weekday(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(mark=cython.int, year="long long", month="long long", day="long long", second="long long", past="long long", days="long long", micros="long long", q=Py_ssize_t, f=Py_ssize_t, part="long long", i=Py_ssize_t, d=Py_ssize_t, m=Py_ssize_t, hours="long long", rest="long long")
    cdef Py_ssize_t _iso(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(d=Py_ssize_t)
    cdef Py_ssize_t _unix(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(dated=bint, q=Py_ssize_t, d=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _syslog(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(q=Py_ssize_t)
    cdef Py_ssize_t _name(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _bracket(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(q=Py_ssize_t)
    cdef Py_ssize_t _monotonic(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(d=Py_ssize_t)
    cdef Py_ssize_t _since(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, stop=Py_ssize_t)
    cdef Py_ssize_t _pod_name(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, stop=Py_ssize_t, d=Py_ssize_t, bar=Py_ssize_t)
    cdef Py_ssize_t _compose(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(q=Py_ssize_t, c=Py_ssize_t, n=Py_ssize_t)
    cdef Py_ssize_t _stern(self, Py_ssize_t p, Py_ssize_t e, Py_ssize_t line) except -3 nogil
    @cython.locals(n=Py_ssize_t, c=Py_ssize_t, q=Py_ssize_t, d=Py_ssize_t, d_end=Py_ssize_t, day="long long", second="long long", f=Py_ssize_t, micros="long long", i=Py_ssize_t)
    cdef inline Py_ssize_t _stamp(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(place=Py_ssize_t, second="long long")
    cdef inline Py_ssize_t _date(self) except -3 nogil
    @cython.locals(q=Py_ssize_t, d=Py_ssize_t, i=Py_ssize_t, c=cython.int, letters=bint)
    cdef Py_ssize_t _month_end(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(i=Py_ssize_t, k=Py_ssize_t, at=Py_ssize_t, n=Py_ssize_t, c=cython.int)
    cdef Py_ssize_t _phrase(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(n=Py_ssize_t, at=Py_ssize_t, process=cython.int)
    cdef inline Py_ssize_t _known(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(process=Py_ssize_t)
    cdef bint _learn(self, Py_ssize_t p, Py_ssize_t text) except -1 nogil
    @cython.locals(h=Py_ssize_t, host=bint, i=Py_ssize_t, text=Py_ssize_t)
    cdef Py_ssize_t _host(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, d=Py_ssize_t)
    cdef Py_ssize_t _program(self, Py_ssize_t p, Py_ssize_t e, bint with_pid) except -3 nogil
    @cython.locals(p=Py_ssize_t, place=Py_ssize_t, unit=Py_ssize_t, node=Py_ssize_t, pod=Py_ssize_t, u=Py_ssize_t, code=Py_ssize_t)
    cdef Py_ssize_t _process(self) except -3 nogil

cdef bint _in_service(int c) noexcept nogil
