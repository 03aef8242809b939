"""Events that come over HTTP: judged, handed to Kafka, acknowledged once it has them."""
