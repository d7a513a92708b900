"""1  bytes → Block: sources, lines and their envelopes, the clock."""
