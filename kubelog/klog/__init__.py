"""2  lines → headers, records, pairs and values."""
