"""One experiment per file; its docstring has the command and the expected numbers."""
