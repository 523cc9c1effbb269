"""What a basket comes to: its goods, what comes off, what it earns, what comes back."""
