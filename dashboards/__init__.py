"""The Grafana dashboards as code, and pictures of them (`make dashboards`, `make dashboard-pictures`)."""
