"""Rows of times without a network: devices, what they brought, and whose turn it is."""
