cimport cython
from kubelog.ingest cimport ops

cdef int MAX_DEPTH, HEADER, STRUCTURED, _FULL
cdef Py_ssize_t STEP, _USUAL

@cython.final
cdef class PairReader:
    cdef object block
    cdef const unsigned char[::1] b, data, arena
    cdef const unsigned char[::1] words
    cdef Py_ssize_t rows, count
    cdef int[::1] start, stop, message_end, pair_first, pairs
    cdef signed char[::1] joined, verdict

    @cython.locals(row=Py_ssize_t)
    cpdef read(self)
    @cython.locals(end=Py_ssize_t)
    cdef Py_ssize_t _read(self, Py_ssize_t row) except -1 nogil
    @cython.locals(q=Py_ssize_t, first=Py_ssize_t, stop=Py_ssize_t)
    cdef inline Py_ssize_t _body(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(q=Py_ssize_t, k=Py_ssize_t, v=Py_ssize_t, i=Py_ssize_t)
    cdef inline Py_ssize_t _pairs(self, Py_ssize_t start, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(c=cython.int, q=Py_ssize_t, n=Py_ssize_t, w=Py_ssize_t)
    cdef inline Py_ssize_t _value_end(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
    @cython.locals(n=Py_ssize_t, c=cython.int, q=Py_ssize_t)
    cdef bint _scalar(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(depth=cython.int, closed=bint, c=cython.int, q=Py_ssize_t)
    cdef Py_ssize_t _balanced(self, Py_ssize_t p, Py_ssize_t e) except -3 nogil
