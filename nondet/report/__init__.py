"""Functions of a record: what people and other tools read."""
