"""Floor 3: where decisions and I/O meet: ingest, loop, apply, fleet, resync."""
