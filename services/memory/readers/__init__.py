"""Reading the text of documents, one module per format."""
