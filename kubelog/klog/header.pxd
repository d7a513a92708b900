cimport cython
from kubelog.ingest cimport ops

cdef int BARE, SHORT, DATED, SYSLOG, LOGFMT, MAX_LINE, MAX_PREFIX, _FULL
cdef long long NONE, LEAST_MS, MOST_MS

@cython.final
cdef class HeaderReader:
    cdef object block
    cdef const unsigned char[::1] b
    cdef const unsigned char[::1] pool, words, levels
    cdef const int[::1] literals, before, days_before
    cdef Py_ssize_t lines
    cdef int[::1] at, end, text_at, site, body_at
    cdef signed char[::1] envelope, head, json, odd
    cdef long long[::1] moment, thread, utc
    cdef int[::1] site_slots, site_spans, file_slots, file_spans, file_of, line_of
    cdef Py_ssize_t n_sites, n_files
    cdef Py_ssize_t head_at, date_at, thread_at, thread_size
    cdef long long date_micros, last_thread, micros, thread_said
    cdef int site_said, severity_said

    cpdef read(self, Py_ssize_t line)
    cdef _bind(self, object block)
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t, n=Py_ssize_t, body=Py_ssize_t, severity=cython.int)
    cdef Py_ssize_t _read(self, Py_ssize_t line) except -1 nogil
    cdef inline bint _is_odd(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(q=Py_ssize_t, n=Py_ssize_t)
    cdef inline bint _is_fused(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(q=Py_ssize_t)
    cdef inline bint _is_escaped(self, Py_ssize_t line, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t)
    cdef bint _is_open(self, Py_ssize_t line) except -1 nogil
    @cython.locals(q=Py_ssize_t, stop=Py_ssize_t, body=Py_ssize_t)
    cdef Py_ssize_t _behind_prefix(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(month="long long", day="long long", second="long long", micros=cython.int, q=Py_ssize_t, n=Py_ssize_t, t=Py_ssize_t, d=Py_ssize_t, said=Py_ssize_t)
    cdef inline Py_ssize_t _header(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, d=Py_ssize_t, ms="long long", us="long long", n=Py_ssize_t, k=Py_ssize_t)
    cdef Py_ssize_t _object(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(severity=cython.int, said=cython.bint, k=Py_ssize_t, n=Py_ssize_t)
    cdef int _neighbour(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(at=Py_ssize_t, n=Py_ssize_t)
    cdef int _level(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(place=Py_ssize_t, stop=Py_ssize_t, file=Py_ssize_t, code=Py_ssize_t)
    cdef inline Py_ssize_t _site(self, Py_ssize_t p, Py_ssize_t n) except -3 nogil

cdef bint _is_key(int c) noexcept nogil
cdef int _severity(int c) noexcept nogil
