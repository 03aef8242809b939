"""Who asks, and what they may see: the built-in token issuer, and the check of bearer tokens."""
