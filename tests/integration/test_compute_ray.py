"""Work on a Ray cluster: the same results as anywhere, and the same when a worker or a whole node is killed amid it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="extra: ray is not installed")

HEAD = """
import json, os, pathlib, signal, sys, threading, time
import ray

folder = pathlib.Path(sys.argv[1])
"""


def run(script: str, folder: Path) -> Any:
    """Run a script in a process of its own, whose Ray ends with it, and return what it prints."""
    answer = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(script), str(folder)],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    lines = [line for line in answer.stdout.splitlines() if line.startswith(("{", '"'))]  # Ray may talk after it
    return json.loads(lines[-1])


@pytest.mark.slow
def test_ray_gives_what_threads_give_and_survives_a_killed_worker(tmp_path: Path) -> None:
    script = """
        from algotrendy.compute import Executor, map_work
        from algotrendy.errors import AlgotrendyError, WorkerLost

        def work(n):
            if n == 7 and not (folder / "killed").exists():
                (folder / "killed").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return n * n

        def always(n):
            if n == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return n

        def raises(n):
            raise ValueError(n)

        on_ray = map_work(work, list(range(40)), where="ray", workers=2)  # starts a cluster of its own
        found = {"equal": on_ray.results == [n * n for n in range(40)], "retried": on_ray.retried}
        try:
            map_work(always, list(range(4)), where=Executor(where="ray", workers=2, retries=1))
        except WorkerLost as error:
            found["lost"] = [error.chunk, error.attempts]
        try:
            map_work(raises, [1], where="ray")
        except ValueError as error:
            found["raised"] = str(error)

        import algotrendy as at
        from algotrendy.backtest.sweep.run import optimize
        bars, grid = at.synthetic(n=600, seed=1), {"fast": range(3, 12), "slow": range(12, 30), "borrow": [0.0, 0.1]}
        tables = [
            optimize(at.strategies.sma_cross(), bars, grid, executor=place, workers=2, progress=False).table
            for place in ("threads", "processes", "ray")
        ]
        found["tables"] = [tables[0].equals(table) for table in tables]

        from algotrendy.backtest.walk_forward import walk_forward

        def momentum(bars, params):
            rising = bars["close"].pct_change(params["window"]) > 0
            return {"entries": rising, "exits": ~rising}

        given = {"params": {"window": 3}, "training": 200, "testing": 50, "workers": 2, "progress": False}
        walks = [
            walk_forward(momentum, bars, {"window": [3, 8]}, executor=place, **given) for place in ("processes", "ray")
        ]
        found["walks"] = walks[0].windows.equals(walks[1].windows) and walks[0].equity.equals(walks[1].equity)
        print(json.dumps(found))
    """
    found = run(script, tmp_path)
    assert found == {
        "equal": True, "retried": 1, "lost": [2, 2], "raised": "1", "tables": [True, True, True], "walks": True,
    }  # fmt: skip


@pytest.mark.slow
def test_a_node_that_is_lost_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    script = """
        from ray.cluster_utils import Cluster
        from algotrendy.compute import map_work

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        second = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        assert len([node for node in ray.nodes() if node["Alive"]]) == 2

        def work(n):
            time.sleep(0.1)
            return n * n, ray.get_runtime_context().get_node_id()

        def lose(place, _):
            if place == 10:
                threading.Thread(target=cluster.remove_node, args=(second, False)).start()

        mapped = map_work(work, list(range(120)), where="ray", on_result=lose)
        results = [result[0] for result in mapped.results]
        nodes = len({result[1] for result in mapped.results})
        until = time.monotonic() + 60
        while (alive := len([node for node in ray.nodes() if node["Alive"]])) > 1 and time.monotonic() < until:
            time.sleep(0.2)  # the head learns of it when a heartbeat is missed
        print(json.dumps({"equal": results == [n * n for n in range(120)], "nodes": nodes, "alive": alive}))
        ray.shutdown()
        cluster.shutdown()
    """
    assert run(script, tmp_path) == {"equal": True, "nodes": 2, "alive": 1}


def test_an_address_where_nobody_is_says_what_to_do(tmp_path: Path) -> None:
    script = """
        from algotrendy.compute import Executor, map_work
        from algotrendy.errors import ConfigError

        try:
            map_work(abs, [1, 2], where=Executor(where="ray", address="127.0.0.1:9"))
        except ConfigError as error:
            print(json.dumps(str(error)))
    """
    assert "ray start --head" in run(script, tmp_path)


@pytest.mark.slow
def test_a_discovery_on_ray_is_the_same_as_on_threads(tmp_path: Path) -> None:
    script = """
        import algotrendy as at
        from algotrendy.backtest.discovery import discover

        bars = at.synthetic(n=600, seed=3)
        options = dict(n_candidates=20, finalists=3, n_resamples=199, workers=2, progress=False)
        here, there = (discover(bars, executor=where, **options) for where in ("threads", "ray"))
        print(json.dumps({"table": here.table.equals(there.table), "searched": here.searched.equals(there.searched)}))
    """
    assert run(script, tmp_path) == {"table": True, "searched": True}


@pytest.mark.slow
def test_services_on_ray_keep_the_same_results_though_a_worker_is_killed(tmp_path: Path) -> None:
    script = """
        from algotrendy.compute import wait_for
        from algotrendy.config import Settings
        from algotrendy.services import Platform

        driver, flag = os.getpid(), str(folder / "killed")

        def momentum(bars, params):
            if params["window"] == 9 and os.getpid() != driver and not os.path.exists(flag):
                open(flag, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            rising = bars["close"].pct_change(params["window"]) > 0
            return {"entries": rising, "exits": ~rising}

        named = {"registered": "momentum", "params": {"window": 3}}
        market = {"symbol": "garch-7", "start_date": "2019-01-01", "end_date": "2021-06-01"}
        sweep = {"strategy": named, **market, "parameters": {"window": list(range(2, 30))}, "wait": 200}
        walk = {**sweep, "parameters": {"window": [3, 8]}, "training_window": 200, "testing_window": 100}
        cross = {"strategy": {"library": "sma_cross"}, **market, "wait": 200}
        several = {**cross, "symbol": None, "symbols": ["garch-7", "garch-8"], "parameters": {"fast": [5, 10, 15]}}
        found = {}
        for place in (None, "ray"):
            settings = Settings(source="synthetic", ledger=False, workers=2, executor=place)
            platform = Platform.local(settings=settings, home=folder / str(place), registered={"momentum": momentum})
            platform.start_workers(threads=1)
            runs = platform.backtesting
            answers = [
                wait_for(runs.start_optimization(sweep)), wait_for(runs.start_walk_forward(walk)),
                wait_for(runs.start_monte_carlo({**cross, "num_simulations": 200, "seed": 3})),
                wait_for(runs.start_optimization(several)),
            ]
            found[str(place)] = [[each.status, each.error, each.result] for each in answers]
            wait_for(platform.close())
            if place is None:
                os.unlink(flag) if os.path.exists(flag) else None
        said = [each[:2] for each in found["ray"]]

        import algotrendy as at
        from algotrendy.backtest.procedure import procedure_test

        bars, grid = at.synthetic(n=300, seed=1), {"fast": [3, 5, 8], "slow": [20, 30]}
        tests = [
            procedure_test(at.strategies.sma_cross(), bars, grid, paths=30, executor=place, workers=2, progress=False)
            for place in ("threads", "ray")
        ]
        print(json.dumps({
            "said": said, "equal": [a == b for a, b in zip(found["None"], found["ray"])],
            "killed": os.path.exists(flag), "rows": len(found["ray"][0][2]["rows"]),
            "tests": (tests[0].null_best == tests[1].null_best).all().item(),
        }))
    """
    assert run(script, tmp_path) == {
        "said": [["completed", None]] * 4, "equal": [True] * 4, "killed": True, "rows": 28, "tests": True,
    }  # fmt: skip
