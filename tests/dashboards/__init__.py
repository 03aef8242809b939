"""Every panel's query on real servers: what Grafana would ask of them, asked without Grafana."""
