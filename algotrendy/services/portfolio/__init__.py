"""Portfolios as one facade: `service`, and what it is made of: managing, rebalancing, prices, analysis, payloads."""
