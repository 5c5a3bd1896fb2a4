"""The benchmark: workloads on simulated nodes beside the floors that the API server sets; see docs/benchmark.md."""
