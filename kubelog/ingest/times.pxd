cimport cython

cdef long long NONE, _DAY, _MINUTE, _NEAR, _LAG, _LEAD
cdef int _UNMET, _KLOG, _ENVELOPE, _LINE, NO_ZONE, WITH_YEAR

@cython.final
cdef class TimeReader:
    cdef Py_ssize_t rows
    cdef int[::1] first, month, ahead, process
    cdef long long[::1] stamp, moment, utc, since_year, time
    cdef signed char[::1] time_source, year_source
    cdef const int[::1] days_before
    cdef public const int[::1] numbers
    cdef public const long long[::1] shift, ahead_of_utc
    cdef public long long last
    cdef bint known
    cdef long long year_at, leap_day, back, ahead_most, offset, since, until
    cdef int said

    cpdef Py_ssize_t unknown(self, Py_ssize_t row) except -1
    cpdef Py_ssize_t read(self, Py_ssize_t row, long long year_at, long long leap_day, int year_source, long long last, long long back, long long ahead, long long offset, long long since, long long until) except -1
    @cython.locals(march="long long", line=Py_ssize_t, moment="long long", source=cython.int, month=cython.int, time="long long", local="long long", shift="long long", lag="long long", said=cython.int)
    cdef Py_ssize_t _read(self, Py_ssize_t row) except -1 nogil
    @cython.locals(shown="long long", minutes=cython.int, zoned=bint, utc="long long", local="long long", shift="long long", time="long long", since="long long")
    cdef inline bint _dated(self, Py_ssize_t row, Py_ssize_t line, long long moment, long long march) except -1 nogil
