cimport cython
from kubelog.ingest cimport ops

cdef int LINE_TOO_LONG, LOGFMT, STRUCTURED, MAX_DEPTH
cdef long long NONE
cdef int TEXTS, SIGNATURES, SURE, WORD, INT, BOOL, DURATION, POD, QUANTITY, GO, LONGEST, _MOST, _STRUCT, _LIST, _TUPLE, _MAP

@cython.final
cdef class CellReader:
    cdef object block
    cdef public dict out, bits
    cdef const unsigned char[::1] b, data, arena, keys, texts, pod_stops
    cdef const int[::1] hole_first, pod_hole, container_hole, telling_hole, event, text, text_at, text_end
    cdef const signed char[::1] checks, slow, literal
    cdef Py_ssize_t rows
    cdef int[::1] first, at, start, stop, kind, message_end, pair_first, pairs, span_first, spans, process, site
    cdef signed char[::1] joined, verdict, reason, head, json
    cdef long long[::1] thread_of, pid_of
    cdef int[::1] node_of, unit_of, file_of, line_of
    cdef long long line_base, offset_base
    cdef int[::1] message, signature, pod, namespace, pod_uid, container
    cdef unsigned char[::1] has_pod, has_namespace, has_pod_uid, has_container
    cdef object signatures
    cdef public int no_node
    cdef readonly bint has_reasons
    cdef unsigned char[::1] written, kept
    cdef public object room
    cdef Py_ssize_t n_kept, kept_from, kept_to, shift
    cdef int[::1] slots, places, code_of
    cdef int[::1] node, unit, file, source_line, event_kind, reason_code, odd
    cdef long long[::1] pid, thread, line, offset, time
    cdef signed char[::1] severity, open, time_source, year_source, time_source_of, year_source_of
    cdef Py_ssize_t used, n_odd, n_signatures
    cdef Py_ssize_t name_at, name_end, space_at, space_end, uid_at, uid_end, value_at, value_end, told_at, told_end, pod_at, pod_end

    @cython.locals(row=Py_ssize_t)
    cpdef read(self)
    cpdef bytes kept_texts(self)
    cpdef bytes signature_pool(self)
    cpdef list signature_texts(self)
    @cython.locals(usual=bint)
    cdef Py_ssize_t _read(self, Py_ssize_t row) except -1 nogil
    @cython.locals(row=Py_ssize_t, reasons=cython.int, line=Py_ssize_t, process=Py_ssize_t, site=Py_ssize_t, thread="long long", pid="long long", kind=Py_ssize_t, node=cython.int, unit=cython.int, file=cython.int, number=cython.int, severity=cython.int)
    cdef int _codes(self) except -1 nogil
    cdef inline bint _keeps(self, Py_ssize_t row) except -1 nogil
    @cython.locals(p=Py_ssize_t, e=Py_ssize_t, kind=Py_ssize_t, valid=cython.int, m=Py_ssize_t, m_end=Py_ssize_t, q=Py_ssize_t, n=Py_ssize_t, text=Py_ssize_t, code=Py_ssize_t, literal=bint, quoted=bint)
    cdef bint _texts(self, Py_ssize_t row) except -1 nogil
    cdef inline int _keep(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    cdef inline int _put(self, int[::1] views, Py_ssize_t row, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(found=Py_ssize_t, n=Py_ssize_t)
    cdef inline int _code(self, Py_ssize_t q) except -1 nogil
    @cython.locals(start=Py_ssize_t, q=Py_ssize_t, most=Py_ssize_t, c=cython.int, word=Py_ssize_t, digits=bint, end=Py_ssize_t)
    cdef Py_ssize_t _mask(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(pod_at=Py_ssize_t, pod_end=Py_ssize_t, uid_at=Py_ssize_t, uid_end=Py_ssize_t, at=Py_ssize_t, end=Py_ssize_t, pair=Py_ssize_t, k=Py_ssize_t, size=Py_ssize_t, v=Py_ssize_t, v_end=Py_ssize_t, i=Py_ssize_t, found=bint, told=cython.int)
    cdef inline bint _names(self, Py_ssize_t row, Py_ssize_t kind, Py_ssize_t p) except -1 nogil
    @cython.locals(q=Py_ssize_t, w=Py_ssize_t)
    cdef int _told(self, Py_ssize_t p, Py_ssize_t e) except -2 nogil
    cdef Py_ssize_t _told_end(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(n=Py_ssize_t, c=cython.int)
    cdef bint _inner(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(q=Py_ssize_t, c=cython.int)
    cdef bint _pod(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(span=Py_ssize_t, hole=Py_ssize_t, check=cython.int, v=Py_ssize_t, e=Py_ssize_t, pod=Py_ssize_t, sure=bint)
    cdef inline bint _converts(self, Py_ssize_t row, Py_ssize_t kind, Py_ssize_t p) except -1 nogil
    @cython.locals(n=Py_ssize_t, q=Py_ssize_t)
    cdef bint _passes(self, int check, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(q=Py_ssize_t, c=cython.int)
    cdef bint _duration(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(start=Py_ssize_t, depth=cython.int, c=cython.int, kind=cython.int, fresh=bint)
    cdef bint _go(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    @cython.locals(depth=cython.int, c=cython.int)
    cdef bint _json(self, Py_ssize_t p, Py_ssize_t e) except -1 nogil
    cdef Py_ssize_t _member(self, Py_ssize_t p, Py_ssize_t e) except -2 nogil
    @cython.locals(c=cython.int)
    cdef Py_ssize_t _string(self, Py_ssize_t p, Py_ssize_t e) except -2 nogil
    @cython.locals(q=Py_ssize_t)
    cdef Py_ssize_t _word(self, Py_ssize_t p, Py_ssize_t e) except -2 nogil
    @cython.locals(q=Py_ssize_t, c=cython.int, letter=bint)
    cdef Py_ssize_t _key(self, Py_ssize_t p, Py_ssize_t e, bint name) except -2 nogil
    @cython.locals(start=Py_ssize_t, c=cython.int)
    cdef Py_ssize_t _scalar(self, Py_ssize_t p, Py_ssize_t e, int kind) except -2 nogil

@cython.final
cdef class Bits:
    cdef Py_ssize_t rows
    cdef object found
    cdef unsigned char[::1] bits
    cdef long long[::1] q
    cdef int[::1] i
    cdef signed char[::1] b

    @cython.locals(missing=Py_ssize_t)
    cpdef of(self, object column, long long none)
