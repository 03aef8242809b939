"""What Grafana is given: provisioning/ and dashboards/, and the builder that writes the dashboards."""
