"""Tables as people write them: spreadsheets, columns, text."""
