"""messages.toml → a synthetic journal and its truth → what each engine costs."""
