"""Pages of the documentation site that are written from the code and from other files."""
