"""Tables, figures and HTML reports of results."""
