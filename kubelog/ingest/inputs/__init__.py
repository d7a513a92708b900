"""1  where bytes are from: files, archives, pipes, URLs, the journal; at rest and as they grow."""
