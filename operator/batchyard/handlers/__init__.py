"""Floor 4: kopf handlers of three lines each: hand the object to the engine, ring the bell."""
