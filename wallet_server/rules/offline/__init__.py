"""What is done without a network: the order in which it is applied, and how it is told."""
