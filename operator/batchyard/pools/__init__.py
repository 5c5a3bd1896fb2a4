"""Floor 2: where nodes come from; one protocol, one file per provider."""
