cimport cython
from kubelog.ingest cimport ops

cdef int BOOL, DURATION, GIVEN, INT, OTHER, SURE, WORD
cdef long long _EXACT

@cython.final
cdef class FieldReader:
    cdef object block
    cdef const unsigned char[::1] b, data, arena, words
    cdef int[::1] rows, kind, start, span_first, spans, first, process, node_of, unit_of, node, unit
    cdef long long[::1] time_of, time, line
    cdef long long line_base
    cdef const int[::1] places
    cdef const signed char[::1] checks, wanted
    cdef signed char[::1] joined
    cdef Py_ssize_t n_rows, width
    cdef readonly Py_ssize_t n
    cdef int[::1] ends
    cdef unsigned char[::1] room
    cdef Py_ssize_t used
    cdef long long[::1] integers
    cdef double[::1] floats
    cdef signed char[::1] given
    cdef readonly tuple out, where
    cdef readonly object found
    cdef readonly bytes texts
    cdef readonly bint has_others

    cpdef choose(self, list rows)
    @cython.locals(count=Py_ssize_t, size=Py_ssize_t)
    cpdef read(self)
    @cython.locals(n=Py_ssize_t, row=Py_ssize_t)
    cdef int _count(self) except -1 nogil
    @cython.locals(i=Py_ssize_t, row=Py_ssize_t)
    cdef int _find(self) except -1 nogil
    @cython.locals(i=Py_ssize_t, row=Py_ssize_t, line=Py_ssize_t, process=Py_ssize_t)
    cdef int _where(self) except -1 nogil
    @cython.locals(i=Py_ssize_t, size=Py_ssize_t, row=Py_ssize_t, field=Py_ssize_t, place=Py_ssize_t, k=Py_ssize_t)
    cdef Py_ssize_t _size(self) except -1 nogil
    @cython.locals(at=Py_ssize_t, i=Py_ssize_t, row=Py_ssize_t, field=Py_ssize_t, place=Py_ssize_t, k=Py_ssize_t, p=Py_ssize_t, e=Py_ssize_t)
    cdef int _read(self) except -1 nogil
    @cython.locals(check=cython.int, negative=bint, q=Py_ssize_t, number="long long", scale="long long")
    cdef bint _value(self, Py_ssize_t field, Py_ssize_t at, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(n=Py_ssize_t)
    cdef inline bint _is_nothing(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(total="long long", q=Py_ssize_t, number="long long", decimals=cython.int, c=cython.int, unit="long long")
    cdef bint _duration(self, Py_ssize_t at, Py_ssize_t p, Py_ssize_t e, bint negative) except -1 nogil
