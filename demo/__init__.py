"""The demonstration: a real batch over real files, driven by kubectl as a user would."""
