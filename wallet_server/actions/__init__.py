"""Use cases: one call is one change is one transaction plus its jobs. Mass changes walk in slices."""
