"""How often each verdict on the best of fifty strategies is right: size under no skill, power where one has some.

Ten years of daily returns of 50 strategies, independent or with a correlation of 0.9, normal, with GARCH volatility, or
fat-tailed (Student t with 4 degrees of freedom). Under the null hypothesis no strategy has skill; under the alternative
one of the fifty has a true Sharpe ratio of 0.8 or 1.0 a year. Each test says "the best is better than cash" at 5 %.

    python benchmarks/overfitting_study.py

prints one table of shares in percent. Two thousand families under the null put a share of 5 % within one point; power
is compared on the same families for all tests, for which fewer do. `--effective` prints the table of the effective
numbers of trials instead, on families whose true number is found by simulation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr

from algotrendy import configure, optimize, sample, strategies
from algotrendy.backtest.overfitting.resampling import default_block_length, resampled_sums, stationary_blocks
from algotrendy.backtest.overfitting.stepdown import step_down
from algotrendy.backtest.overfitting.superiority import long_run_deviation
from algotrendy.risk import effective_trials, expected_maximum_sharpe, sharpe_estimate

N_STRATEGIES, N_PERIODS, PER_YEAR, DAILY = 50, 2520, 252, 0.001
LEVEL = 0.05
BATCH = 50
FAMILIES = [(kind, rho) for kind in ("normal", "garch", "t(4)") for rho in (0.0, 0.9)]
SHARPES = (0.0, 0.8, 1.0)


def noise(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Return series of variance one, shape (n, N_PERIODS, N_STRATEGIES + 1): a common one last."""
    shape = (n, N_PERIODS, N_STRATEGIES + 1)
    if kind == "normal":
        return rng.standard_normal(shape)
    if kind == "t(4)":
        return rng.standard_t(4, shape) / np.sqrt(2.0)
    shocks = rng.standard_normal(shape)
    variance = np.ones((n, N_STRATEGIES + 1))
    for day in range(N_PERIODS):  # variance one in the long run, persistence 0.98
        shocks[:, day] *= np.sqrt(variance)
        variance = 0.02 + 0.08 * shocks[:, day] ** 2 + 0.90 * variance
    return shocks


def families(kind: str, rho: float, sharpe: float, rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Yield families of returns, shape (N_PERIODS, N_STRATEGIES); the first strategy has the skill."""
    for first in range(0, count, BATCH):
        drawn = noise(kind, rng, min(BATCH, count - first))
        for one in drawn:
            returns = DAILY * (np.sqrt(rho) * one[:, -1:] + np.sqrt(1.0 - rho) * one[:, :-1])
            returns[:, 0] += sharpe * DAILY / np.sqrt(PER_YEAR)
            yield returns


def verdicts(returns: np.ndarray, resamples: int, seed: int) -> dict[str, float]:
    """Return a p-value for each test of the best strategy; where it is at most LEVEL, the verdict is skill."""
    n = len(returns)
    means = returns.mean(axis=0)
    centred = returns - means
    blocks = stationary_blocks(n, resamples, default_block_length(n), seed)
    squares = centred * centred
    usual = squares.mean(axis=0)
    sums = resampled_sums(np.hstack([centred, squares - usual]), blocks)
    drawn = sums[:, :N_STRATEGIES] / np.sqrt(n)
    spread = np.sqrt(usual + sums[:, N_STRATEGIES:] / n - drawn * drawn / n)
    found, deviation = np.sqrt(n) * means, np.sqrt(usual)
    hac = long_run_deviation(returns, default_block_length(n))
    threshold = -np.sqrt(2.0 * np.log(np.log(n))) * hac
    largest = np.maximum(((drawn + np.where(found < threshold, found, 0.0)) / hac).max(axis=1), 0.0)
    as_large = np.count_nonzero(largest >= max((found / hac).max(), 0.0))
    p = {
        "Romano-Wolf": float(step_down(found / deviation, drawn / spread).min()),
        "reality check": float(step_down(found, drawn).min()),
        "SPA": (1.0 + as_large) / (resamples + 1.0),
    }
    ratios = means / (deviation * np.sqrt(n / (n - 1.0)))
    best = sharpe_estimate(returns[:, int(np.argmax(ratios))])
    effective, variance = effective_trials(returns), float(np.var(ratios, ddof=1))
    p["deflated, raw"] = 1.0 - best.probability_above(expected_maximum_sharpe(N_STRATEGIES, variance))
    p["deflated, effective"] = 1.0 - best.probability_above(expected_maximum_sharpe(effective, variance))
    p["PSR"] = 1.0 - best.probability_above(0.0)
    p["PSR, effective"] = 1.0 - best.probability_above(0.0) ** effective
    return p


def cell(kind: str, rho: float, sharpe: float, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the share of families, in percent, in which each test said skill."""
    key = [arguments.seed, *kind.encode(), int(100 * rho), int(100 * sharpe)]
    rng = np.random.default_rng(key)
    hits: dict[str, float] = {}
    count = arguments.power_replications if sharpe else arguments.replications
    drawn = families(kind, rho, sharpe, rng, count)
    for number, returns in enumerate(drawn):
        for name, p in verdicts(returns, arguments.resamples, arguments.seed * 1_000_003 + number).items():
            hits[name] = hits.get(name, 0.0) + (p <= LEVEL)
    return {name: 100.0 * hit / count for name, hit in hits.items()}


def structures() -> Iterator[tuple[str, np.ndarray]]:
    """Yield correlation matrices of fifty trials."""
    size, i = N_STRATEGIES, np.arange(N_STRATEGIES)
    same, blocks = np.eye(size), np.kron(np.eye(5), np.ones((10, 10)))
    yield "independent", same
    for rho in (0.5, 0.9, 0.99):
        yield f"all alike, rho {rho}", rho * np.ones((size, size)) + (1.0 - rho) * same
    yield "5 groups of 10, rho 0.9 within", 0.9 * blocks + 0.1 * same
    yield "the same, rho 0.3 across", 0.3 + 0.6 * blocks + 0.1 * same
    for rho in (0.9, 0.99):
        yield f"neighbours, rho {rho} to the next", rho ** np.abs(i[:, None] - i)
    yield "a smooth grid", np.exp(-(((i[:, None] - i) / 10.0) ** 2) / 2.0)


def effective_table(seed: int) -> None:
    """Print the effective number of trials by six estimators, and the true one: equal chance of luck at 5 %."""
    rng = np.random.default_rng(seed)
    print(
        "| family | true | effective_trials | Li-Ji | Galwey | mean correlation | participation | entropy |\n|---|"
        + "---:|" * 7
    )
    for name, matrix in structures():
        root = np.linalg.cholesky(matrix + 1e-10 * np.eye(N_STRATEGIES))
        largest = (rng.standard_normal((400_000, N_STRATEGIES)) @ root.T).max(axis=1)
        returns = DAILY * rng.standard_normal((N_PERIODS, N_STRATEGIES)) @ root.T
        print_numbers(name, largest, returns)
    configure(ledger=False)
    bars = sample("NASDAQ")
    grid = {"fast": range(4, 288, 2), "slow": range(4, 288, 2)}
    sweep = optimize(strategies.sma_cross(), bars, grid, where="fast < slow")
    for size in (50, 200, 1000):
        returns = sweep.returns(sample=size, seed=seed).to_numpy()
        returns = returns[:, returns.std(axis=0) > 0.0]
        centred, blocks = returns - returns.mean(axis=0), stationary_blocks(len(returns), 4_999, 17.0, seed)
        sums = resampled_sums(centred, blocks)
        print_numbers(f"{size} of 10,011 pairs of averages, NASDAQ", (sums / sums.std(axis=0)).max(axis=1), returns)


def print_numbers(name: str, largest: np.ndarray, returns: np.ndarray) -> None:
    """Print the true effective number, by the largest scores without skill, and the estimates from returns."""
    count = returns.shape[1]
    true = np.log(1.0 - LEVEL) / np.log(ndtr(np.quantile(largest, 1.0 - LEVEL)))
    found = np.corrcoef(returns, rowvar=False)
    lam = np.clip(np.linalg.eigvalsh(found), 1e-15, None)
    share, mean = lam / lam.sum(), (found.sum() - count) / (count * (count - 1))
    whole = np.round(lam, 9)
    numbers = [
        true, effective_trials(returns), ((whole >= 1.0) + whole - np.floor(whole)).sum(),
        np.sqrt(lam).sum() ** 2 / lam.sum(), mean + (1.0 - mean) * count,
        lam.sum() ** 2 / (lam**2).sum(), np.exp(-(share * np.log(share)).sum()),
    ]  # fmt: skip
    print(f"| {name} | " + " | ".join(f"{number:.1f}" for number in numbers) + " |", flush=True)


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000, help="families per row without skill")
    parser.add_argument("--power-replications", type=int, default=800, help="families per row with skill")
    parser.add_argument("--resamples", type=int, default=499)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=["normal", "garch", "t(4)"], help="only families of this kind")
    parser.add_argument("--effective", action="store_true", help="compare effective numbers of trials instead")
    arguments = parser.parse_args()
    if arguments.effective:
        effective_table(arguments.seed)
        return
    start, heads = time.perf_counter(), False
    for kind, rho in FAMILIES:
        if arguments.kind not in (None, kind):
            continue
        for sharpe in SHARPES:
            shares = cell(kind, rho, sharpe, arguments)
            if not heads:
                print(f"| returns | rho | true Sharpe | {' | '.join(shares)} |\n|---|" + "---:|" * (len(shares) + 2))
                heads = True
            row = " | ".join(f"{share:.1f}" for share in shares.values())
            print(f"| {kind} | {rho:g} | {sharpe:g} | {row} |", flush=True)
    print(f"\n{arguments.replications:,} families per row without skill, {arguments.power_replications:,} with; "
          f"{arguments.resamples} resamples, seed {arguments.seed}: "
          f"{(time.perf_counter() - start) / 60:.1f} minutes")  # fmt: skip


if __name__ == "__main__":
    main()
