"""3  headers, bodies → typed events: the vocabulary, the matcher, the records."""
