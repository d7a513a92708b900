"""grammars/ → what the stages run: the rule tree, the reference parsers, the scanner's table."""
