"""What a till reads, says and may give: codes, scans, refusals, gestures, coupons."""
