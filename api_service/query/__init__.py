"""What was measured: statistics and devices."""
