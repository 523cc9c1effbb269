"""Owns other people's clients, as the benchmarks run them: each in a process of its own."""
