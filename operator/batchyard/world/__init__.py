"""Floor 1: what is known of the cluster, as slim immutable views in one store."""
