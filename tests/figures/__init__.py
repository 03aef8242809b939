"""The pictures of docs/statistics.md: measured, then drawn."""
