"""Cards: composed, published, told to phones, served to them, put to vendors, and why one did not follow."""
