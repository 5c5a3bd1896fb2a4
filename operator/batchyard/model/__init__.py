"""Floor 0: the nouns of the API, the phase table, resources as integers, the verbs of a plan."""
