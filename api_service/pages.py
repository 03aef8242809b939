"""How pages of ours are sent: nothing of them comes from elsewhere, and nobody else's page may hold them."""

# Swagger UI and uPlot set styles from their scripts only, which a policy without 'unsafe-inline' allows.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
