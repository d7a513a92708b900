cimport cython
from kubelog.ingest cimport ops

cdef Py_ssize_t _USUAL

@cython.final
cdef class LineReader:
    cdef object block
    cdef const unsigned char[::1] b
    cdef Py_ssize_t line
    cdef int[::1] at, end

    @cython.locals(p=Py_ssize_t, size=Py_ssize_t)
    cpdef read(self)
    @cython.locals(n=Py_ssize_t, most=Py_ssize_t, p=Py_ssize_t, q=Py_ssize_t, stop=Py_ssize_t)
    cdef Py_ssize_t _split(self, Py_ssize_t e) except -1 nogil
