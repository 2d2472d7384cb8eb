"""The facades of algotrendy: what a server, a command line or another application calls, asynchronous.

Each facade is handed its collaborators; `bootstrap` alone chooses concrete ones. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.services.analysis import (
        AIStrategyDiscovery,
        MonteCarloSimulator,
        ResultAnalyzer,
        VectorizedBacktester,
        WalkForwardAnalyzer,
    )
    from algotrendy.services.backtesting import BacktestingService
    from algotrendy.services.bootstrap import Platform
    from algotrendy.services.documents import OptimizedStrategy
    from algotrendy.services.market_data import MarketDataService
    from algotrendy.services.models import MarketData, TechnicalIndicators
    from algotrendy.services.models_runs import (
        BacktestAnswer,
        BacktestBody,
        BacktestConfig,
        BacktestRequest,
        CompareRequest,
        ComparisonAnswer,
        FeesIn,
        MonteCarloAnswer,
        MonteCarloConfig,
        MonteCarloRequest,
        OptimizationAnswer,
        OptimizationBody,
        OptimizationConfig,
        OptimizationRequest,
        ResultsAnswer,
        StatusAnswer,
        WalkForwardAnswer,
        WalkForwardConfig,
        WalkForwardRequest,
    )
    from algotrendy.services.models_strategies import (
        DeploymentOut,
        DeployRequest,
        DiscoveryAnswer,
        DiscoveryConstraints,
        DiscoveryRequest,
        DiscoveryStatus,
        StrategyDiscoveryConfig,
        StrategyIn,
        StrategyOut,
        StrategyUpdate,
        TemplateOut,
        ValidationAnswer,
    )
    from algotrendy.services.strategy_engine import (
        AdvancedBacktester,
        StrategyDeployer,
        StrategyEngineService,
        StrategyOptimizer,
    )
    from algotrendy.services.workers import Workers

_IN = {
    ".analysis": (
        "AIStrategyDiscovery", "MonteCarloSimulator", "ResultAnalyzer", "VectorizedBacktester", "WalkForwardAnalyzer",
    ),
    ".backtesting": ("BacktestingService",),
    ".bootstrap": ("Platform",),
    ".documents": ("OptimizedStrategy",),
    ".market_data": ("MarketDataService",),
    ".models": ("MarketData", "TechnicalIndicators"),
    ".models_runs": (
        "BacktestAnswer", "BacktestBody", "BacktestConfig", "BacktestRequest", "CompareRequest", "ComparisonAnswer",
        "FeesIn", "MonteCarloAnswer", "MonteCarloConfig", "MonteCarloRequest", "OptimizationAnswer", "OptimizationBody",
        "OptimizationConfig", "OptimizationRequest", "ResultsAnswer", "StatusAnswer", "WalkForwardAnswer",
        "WalkForwardConfig", "WalkForwardRequest",
    ),
    ".models_strategies": (
        "DeployRequest", "DeploymentOut", "DiscoveryAnswer", "DiscoveryConstraints", "DiscoveryRequest",
        "DiscoveryStatus", "StrategyDiscoveryConfig", "StrategyIn", "StrategyOut", "StrategyUpdate", "TemplateOut",
        "ValidationAnswer",
    ),
    ".strategy_engine": ("AdvancedBacktester", "StrategyDeployer", "StrategyEngineService", "StrategyOptimizer"),
    ".workers": ("Workers",),
}  # fmt: skip

__all__ = [
    "AIStrategyDiscovery",
    "AdvancedBacktester",
    "BacktestAnswer",
    "BacktestBody",
    "BacktestConfig",
    "BacktestRequest",
    "BacktestingService",
    "CompareRequest",
    "ComparisonAnswer",
    "DeployRequest",
    "DeploymentOut",
    "DiscoveryAnswer",
    "DiscoveryConstraints",
    "DiscoveryRequest",
    "DiscoveryStatus",
    "FeesIn",
    "MarketData",
    "MarketDataService",
    "MonteCarloAnswer",
    "MonteCarloConfig",
    "MonteCarloRequest",
    "MonteCarloSimulator",
    "OptimizationAnswer",
    "OptimizationBody",
    "OptimizationConfig",
    "OptimizationRequest",
    "OptimizedStrategy",
    "Platform",
    "ResultAnalyzer",
    "ResultsAnswer",
    "StatusAnswer",
    "StrategyDeployer",
    "StrategyDiscoveryConfig",
    "StrategyEngineService",
    "StrategyIn",
    "StrategyOptimizer",
    "StrategyOut",
    "StrategyUpdate",
    "TechnicalIndicators",
    "TemplateOut",
    "ValidationAnswer",
    "VectorizedBacktester",
    "WalkForwardAnalyzer",
    "WalkForwardAnswer",
    "WalkForwardConfig",
    "WalkForwardRequest",
    "Workers",
]

__getattr__ = lazy_names(__name__, {name: home for home, names in _IN.items() for name in names})
