from kubelog.ingest cimport ops
