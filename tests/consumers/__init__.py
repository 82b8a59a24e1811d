"""Real programs that read image archives, behind one set of verbs."""
