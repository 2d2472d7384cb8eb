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
    from algotrendy.services.portfolio.analysis import PerformanceAnalyzer, ReportGenerator, StoredPortfolios
    from algotrendy.services.portfolio.manager import PortfolioManager
    from algotrendy.services.portfolio.models import (
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
    from algotrendy.services.portfolio.prices import GivenPrices, MarketPrices
    from algotrendy.services.portfolio.rebalancing import LimitChecker, PaperExecutor, PortfolioRebalancer
    from algotrendy.services.portfolio.service import PortfolioService
    from algotrendy.services.risk.books import MarketDataCloses, PortfolioSource
    from algotrendy.services.risk.engine import RiskEngineService
    from algotrendy.services.risk.models import (
        AlertOut,
        LimitsIn,
        LimitsOut,
        PositionRisk,
        PreTradeAnswer,
        PreTradeRequest,
        ReservationOut,
        RiskMetrics,
        StressTestAnswer,
        StressTestRequest,
        TradingStateIn,
        TradingStateOut,
        WhatIfAnswer,
    )
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
    ".risk.models": (
        "AlertOut", "LimitsIn", "LimitsOut", "PositionRisk", "PreTradeAnswer", "PreTradeRequest", "ReservationOut",
        "RiskMetrics", "StressTestAnswer", "StressTestRequest", "TradingStateIn", "TradingStateOut", "WhatIfAnswer",
    ),
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
    ".portfolio.models": (
        "ActionIn", "AttributionAnswer", "CashIn", "FillIn", "HoldingOut", "PerformanceAnswer", "PortfolioConfig",
        "PortfolioOut", "PortfolioUpdate", "RebalanceAnswer", "RebalanceRequest", "ReportAnswer", "ReportRequest",
    ),
    ".portfolio.service": ("PortfolioService",),
    ".portfolio.analysis": ("PerformanceAnalyzer", "ReportGenerator", "StoredPortfolios",),
    ".portfolio.manager": ("PortfolioManager",),
    ".portfolio.rebalancing": ("LimitChecker", "PaperExecutor", "PortfolioRebalancer",),
    ".portfolio.prices": ("GivenPrices", "MarketPrices",),
    ".risk.books": ("MarketDataCloses", "PortfolioSource"),
    ".risk.engine": ("RiskEngineService",),
    ".strategy_engine": ("AdvancedBacktester", "StrategyEngineService", "StrategyOptimizer"),
    ".workers": ("Workers",),
}  # fmt: skip

__all__ = [
    "AIStrategyDiscovery",
    "ActionIn",
    "AdvancedBacktester",
    "AlertOut",
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
    "LimitsIn",
    "LimitsOut",
    "MarketData",
    "MarketDataCloses",
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
    "PortfolioSource",
    "PortfolioUpdate",
    "PositionRisk",
    "PreTradeAnswer",
    "PreTradeRequest",
    "RebalanceAnswer",
    "RebalanceRequest",
    "ReportAnswer",
    "ReportGenerator",
    "ReportRequest",
    "ReservationOut",
    "ResultAnalyzer",
    "ResultsAnswer",
    "RiskEngineService",
    "RiskMetrics",
    "StatusAnswer",
    "StoredPortfolios",
    "StrategyDeployer",
    "StrategyDiscoveryConfig",
    "StrategyEngineService",
    "StrategyIn",
    "StrategyOptimizer",
    "StrategyOut",
    "StrategyUpdate",
    "StressTestAnswer",
    "StressTestRequest",
    "TargetWeights",
    "TechnicalIndicators",
    "TemplateOut",
    "TradingStateIn",
    "TradingStateOut",
    "ValidationAnswer",
    "VectorizedBacktester",
    "WalkForwardAnalyzer",
    "WalkForwardAnswer",
    "WalkForwardConfig",
    "WalkForwardRequest",
    "WhatIfAnswer",
    "Workers",
]

__getattr__ = lazy_names(__name__, {name: home for home, names in _IN.items() for name in names})
