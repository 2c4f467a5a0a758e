"""Tables of text: CSV files, and the columns parsed from them."""
