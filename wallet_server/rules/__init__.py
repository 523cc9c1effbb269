"""Pure rules: state in, decision out. No I/O, no clock, no randomness; times and seeds are arguments."""
