"""What grows with what: time, memory, disk and network, measured over decades."""
