"""One module per page; each answers one question and draws what the sources gave."""
