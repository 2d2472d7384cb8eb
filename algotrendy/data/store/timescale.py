"""TimescaleDB, where the database has it: `market_data` as a hypertable, compressed when old, with roll-ups of minutes.

The statements are made here and run by `SqlStore` only if the extension is installed in the database; each may be run
again. An hour of UTC is an hour everywhere, but a day of UTC is no session of most exchanges: no roll-up is daily.
"""

from __future__ import annotations

from algotrendy.data.store.sql_tables import KEY_COLUMNS

__all__ = ["IS_INSTALLED", "rollup_query", "timescale_statements"]

IS_INSTALLED = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
ROLLUPS = {"market_data_5m": "5 minutes", "market_data_1h": "1 hour"}
"""Names of the continuous aggregates over bars of one minute, and how long their bars last."""

_KEPT_AS_ROWS = "30 days"
_CHUNK = "30 days"


def timescale_statements(schema: str | None = None) -> tuple[str, ...]:
    """Return the statements that turn plain tables into TimescaleDB's, in order; each outside a transaction.

    Parameters
    ----------
    schema : str, optional
        Where `market_data` lies; None: where the connection's search path finds it.

    Returns
    -------
    tuple of str
        For TimescaleDB 2.13 or newer. Rows that are there already are moved into chunks.

    Examples
    --------
    >>> timescale_statements()[0]
    "SELECT create_hypertable('market_data', by_range('time', INTERVAL '30 days'), if_not_exists => TRUE, ...)"
    """
    data = _named("market_data", schema)
    statements = [
        f"SELECT create_hypertable({_text(data)}, by_range('time', INTERVAL '{_CHUNK}'),"
        " if_not_exists => TRUE, migrate_data => TRUE)",
        f"ALTER TABLE {data} SET (timescaledb.compress, timescaledb.compress_segmentby ="
        f" {_text(', '.join(KEY_COLUMNS))}, timescaledb.compress_orderby = 'time')",
        f"SELECT add_compression_policy({_text(data)}, INTERVAL '{_KEPT_AS_ROWS}', if_not_exists => TRUE)",
    ]
    for name, width in ROLLUPS.items():
        view = _named(name, schema)
        statements += [
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS {view} WITH (timescaledb.continuous) AS"
            f" {rollup_query(width, schema)} WITH NO DATA",
            f"SELECT add_continuous_aggregate_policy({_text(view)}, start_offset => INTERVAL '7 days',"
            f" end_offset => INTERVAL '{width}', schedule_interval => INTERVAL '{width}', if_not_exists => TRUE)",
        ]
    return tuple(statements)


def rollup_query(width: str, schema: str | None = None) -> str:
    """Return the query that joins bars of one minute into longer ones, by series and by whole widths of UTC.

    Examples
    --------
    >>> rollup_query("1 hour").startswith("SELECT symbol, venue, asset_type, source, chart_style, adjusted,")
    True
    """
    names = ", ".join(name for name in KEY_COLUMNS if name != "interval")
    bucket = f"time_bucket(INTERVAL '{width}', time)"
    return (
        f"SELECT {names}, {bucket} AS bucket, first(open, time) AS open, max(high) AS high, min(low) AS low,"
        f" last(close, time) AS close, sum(volume) AS volume FROM {_named('market_data', schema)}"
        f" WHERE interval = '1m' GROUP BY {names}, {bucket}"
    )


def _named(name: str, schema: str | None) -> str:
    return name if schema is None else '"' + schema.replace('"', '""') + '".' + name


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
