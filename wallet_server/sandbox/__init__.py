"""The sandbox: simulated phones and vendors, real protocols on loopback. Imports nothing of the product."""
