"""The operator inside a cluster: its image, its chart, its users. `make e2e` runs it, `make test` does not."""
