"""What a till does: scan, quote, sell, take back, who stands at it, and what looks odd there."""
