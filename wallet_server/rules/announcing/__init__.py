"""When and how fast members are told something, and in how many parts."""
