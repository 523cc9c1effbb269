"""What opens the way to Apple and Google: certificates, keys, accounts, and what these vendors tell."""
