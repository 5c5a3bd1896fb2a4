"""Metrics and logs: seen by every floor but decide, world and model."""
