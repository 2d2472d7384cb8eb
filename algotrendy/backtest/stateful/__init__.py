"""Backtests of stateful strategies: asked bar by bar, filled by the same rules as explicit orders."""
