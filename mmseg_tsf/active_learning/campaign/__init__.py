"""The campaign: its rounds, its budget, how it is built from a config and resumed."""
