"""Batchyard: AWS Batch semantics for any Kubernetes cluster."""
