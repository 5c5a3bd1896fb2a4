"""The API server: session, watch, write and lease. Nothing here knows about jobs."""
