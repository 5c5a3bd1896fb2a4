"""The Hypothesis profile of this folder's tests."""

from builders import hypothesis_profile

hypothesis_profile()
