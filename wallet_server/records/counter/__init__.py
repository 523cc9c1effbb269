"""Rows of the counter: sales and what came back, tills and who stood at them, gestures, visits."""
