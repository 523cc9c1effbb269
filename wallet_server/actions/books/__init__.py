"""What an accountant asks the books, and periods that are closed."""
