"""A real Kubernetes control plane on one machine, from nothing but Python: see README.md."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said here, before any module with newer syntax is read
    sys.exit("devcluster needs Python >= 3.11: install it, and name it with `make PYTHON=python3.11 ...`.")
