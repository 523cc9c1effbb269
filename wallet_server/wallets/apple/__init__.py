"""Apple Wallet: design to pass.json, signature, credentials, and the bell that wakes devices."""
