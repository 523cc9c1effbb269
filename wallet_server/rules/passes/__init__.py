"""What a card says, how it changes, and why a phone did not follow."""
