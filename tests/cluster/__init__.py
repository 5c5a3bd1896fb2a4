"""Tests of the whole operator on a real API server; a package, so that its operator ends before others begin."""
