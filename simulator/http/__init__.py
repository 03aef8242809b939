"""Records to the API's `POST /ingest`, as a gateway of real devices would: batches, retries, fail-over, a spool."""
