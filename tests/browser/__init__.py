"""The analysts' page in a real Chromium, in front of a real API and Postgres."""
