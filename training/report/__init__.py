"""One evaluation as a document: what the network is, what it reaches, and what to mistrust."""
