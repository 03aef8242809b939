"""Devices × waveforms × planned faults → events → Kafka; and replay of real recordings."""
