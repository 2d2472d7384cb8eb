"""Several instruments in one account: target weights, explicit orders, signals that compete for places."""
