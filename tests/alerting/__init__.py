"""Faults on a whole stack with a real Prometheus: which alert fires, and after how long."""
