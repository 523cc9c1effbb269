"""The versioned JSON interface for tills and for merchants' own systems; OpenAPI 3.1 comes from this code."""
