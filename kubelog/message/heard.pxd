cimport cython

cdef long long NONE

@cython.final
cdef class Listener:
    cdef public Py_ssize_t rows
    cdef int[::1] first, process, node_of, kind
    cdef long long[::1] time, since_year
    cdef const signed char[::1] wanted
    cdef long long late, year, back, ahead
    cdef public const long long[::1] number_of
    cdef public long long[::1] us, run_us
    cdef public Py_ssize_t node, of
    cdef public bint fixed, asked
    cdef public long long gap, moment, turned, at, shift

    cpdef Py_ssize_t read(self, Py_ssize_t row) except -1
    @cython.locals(process=Py_ssize_t, code=Py_ssize_t, node=Py_ssize_t, time="long long", moment="long long", turned="long long", shift="long long", us="long long")
    cdef Py_ssize_t _read(self, Py_ssize_t row) except -1 nogil
