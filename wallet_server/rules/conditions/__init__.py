"""What a programme may ask before something holds: the part of CEL that it takes."""
