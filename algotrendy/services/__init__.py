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
    from algotrendy.services.compositions import Allocations, TargetWeights
    from algotrendy.services.deployer import StrategyDeployer
    from algotrendy.services.documents import OptimizedStrategy
    from algotrendy.services.market_data import MarketDataService
    from algotrendy.services.models import MarketData, TechnicalIndicators
    from algotrendy.services.models_account import BacktestConfig, FeesIn
    from algotrendy.services.models_portfolio import (
        ActionIn,
        AttributionAnswer,
        CashIn,
        FillIn,
        HoldingOut,
        PerformanceAnswer,
        PortfolioConfig,
        PortfolioOut,
        PortfolioUpdate,
        RebalanceAnswer,
        RebalanceRequest,
        ReportAnswer,
        ReportRequest,
    )
    from algotrendy.services.models_runs import (
        BacktestAnswer,
        BacktestBody,
        BacktestRequest,
        CompareRequest,
        ComparisonAnswer,
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
    from algotrendy.services.portfolio import PortfolioService
    from algotrendy.services.portfolio_analysis import PerformanceAnalyzer, ReportGenerator, StoredPortfolios
    from algotrendy.services.portfolio_manager import PortfolioManager
    from algotrendy.services.portfolio_rebalancing import LimitChecker, PaperExecutor, PortfolioRebalancer
    from algotrendy.services.prices import GivenPrices, MarketPrices
    from algotrendy.services.strategy_engine import (
        AdvancedBacktester,
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
    ".compositions": ("Allocations", "TargetWeights"),
    ".deployer": ("StrategyDeployer",),
    ".documents": ("OptimizedStrategy",),
    ".market_data": ("MarketDataService",),
    ".models": ("MarketData", "TechnicalIndicators"),
    ".models_account": ("BacktestConfig", "FeesIn"),
    ".models_runs": (
        "BacktestAnswer", "BacktestBody", "BacktestRequest", "CompareRequest", "ComparisonAnswer", "MonteCarloAnswer",
        "MonteCarloConfig", "MonteCarloRequest", "OptimizationAnswer", "OptimizationBody", "OptimizationConfig",
        "OptimizationRequest", "ResultsAnswer", "StatusAnswer", "WalkForwardAnswer", "WalkForwardConfig",
        "WalkForwardRequest",
    ),
    ".models_strategies": (
        "DeployRequest", "DeploymentOut", "DiscoveryAnswer", "DiscoveryConstraints", "DiscoveryRequest",
        "DiscoveryStatus", "StrategyDiscoveryConfig", "StrategyIn", "StrategyOut", "StrategyUpdate", "TemplateOut",
        "ValidationAnswer",
    ),
    ".models_portfolio": (
        "ActionIn", "AttributionAnswer", "CashIn", "FillIn", "HoldingOut", "PerformanceAnswer", "PortfolioConfig",
        "PortfolioOut", "PortfolioUpdate", "RebalanceAnswer", "RebalanceRequest", "ReportAnswer", "ReportRequest",
    ),
    ".portfolio": ("PortfolioService",),
    ".portfolio_analysis": ("PerformanceAnalyzer", "ReportGenerator", "StoredPortfolios",),
    ".portfolio_manager": ("PortfolioManager",),
    ".portfolio_rebalancing": ("LimitChecker", "PaperExecutor", "PortfolioRebalancer",),
    ".prices": ("GivenPrices", "MarketPrices",),
    ".strategy_engine": ("AdvancedBacktester", "StrategyEngineService", "StrategyOptimizer"),
    ".workers": ("Workers",),
}  # fmt: skip

__all__ = [
    "AIStrategyDiscovery",
    "ActionIn",
    "AdvancedBacktester",
    "Allocations",
    "AttributionAnswer",
    "BacktestAnswer",
    "BacktestBody",
    "BacktestConfig",
    "BacktestRequest",
    "BacktestingService",
    "CashIn",
    "CompareRequest",
    "ComparisonAnswer",
    "DeployRequest",
    "DeploymentOut",
    "DiscoveryAnswer",
    "DiscoveryConstraints",
    "DiscoveryRequest",
    "DiscoveryStatus",
    "FeesIn",
    "FillIn",
    "GivenPrices",
    "HoldingOut",
    "LimitChecker",
    "MarketData",
    "MarketDataService",
    "MarketPrices",
    "MonteCarloAnswer",
    "MonteCarloConfig",
    "MonteCarloRequest",
    "MonteCarloSimulator",
    "OptimizationAnswer",
    "OptimizationBody",
    "OptimizationConfig",
    "OptimizationRequest",
    "OptimizedStrategy",
    "PaperExecutor",
    "PerformanceAnalyzer",
    "PerformanceAnswer",
    "Platform",
    "PortfolioConfig",
    "PortfolioManager",
    "PortfolioOut",
    "PortfolioRebalancer",
    "PortfolioService",
    "PortfolioUpdate",
    "RebalanceAnswer",
    "RebalanceRequest",
    "ReportAnswer",
    "ReportGenerator",
    "ReportRequest",
    "ResultAnalyzer",
    "ResultsAnswer",
    "StatusAnswer",
    "StoredPortfolios",
    "StrategyDeployer",
    "StrategyDiscoveryConfig",
    "StrategyEngineService",
    "StrategyIn",
    "StrategyOptimizer",
    "StrategyOut",
    "StrategyUpdate",
    "TargetWeights",
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
