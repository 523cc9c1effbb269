"""A programme as a document: its shape, its checks, its parts, its words."""
