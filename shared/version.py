"""Plumbline's version: pyproject.toml takes it from here, and so does code that was copied and not installed."""

VERSION = "0.1.0"
