"""5  incidents and records → text, JSON, Markdown, HTML. The one place that escapes what it prints: log text is hostile."""
