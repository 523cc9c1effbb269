"""What a member has beside the sale: units, vouchers, coupons, gestures, standing, and what time does to them."""
