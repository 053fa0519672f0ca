"""Search: generators that ask questions and are sent verdicts."""
