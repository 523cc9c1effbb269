"""Programmes and their cards as shops make them: drafts, dry runs, simulations, designs, pictures."""
