from kubelog.ingest cimport ops
from cpython.array cimport array
