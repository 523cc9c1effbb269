"""Work that follows a change: jobs are rows, claimed and run by lanes that do not wait for each other."""
