"""What a programme owes, what will be redeemed, and how both are reported."""
