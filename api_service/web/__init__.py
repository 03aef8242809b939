"""The web module: the analysts' page."""
