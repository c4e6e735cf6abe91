"""A run in figures, as people ask for them; the report and the notebooks show these.

Each function takes a connection (`Run.connect`) and gives a DuckDB relation: `.fetchall()` feeds a
chart, `.df()` is a data frame, and a million samples stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.verification import HOLDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

SHOWN_INTERVALS = 90
"""Intervals of one source in a chart: more of them could not be told apart."""


def fates(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Samples by verdict and source, kept ones first: fate, source, samples."""
    return db.sql("""
        WITH fates AS (
            SELECT kept, source,
                   coalesce('kept: ' || split, 'dropped: ' || dropped_by, 'kept') AS fate
            FROM verdicts JOIN samples USING (sample_id)
        )
        SELECT fate, source, count(*) AS samples
        FROM fates
        GROUP BY kept, fate, source
        ORDER BY kept DESC, sum(count(*)) OVER (PARTITION BY fate) DESC, fate, source
    """)


def reasons(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Why samples are dropped, by rule and source.

    A sample counts as dropped by the first rule that it fails; `alone` are those that no other
    rule would have dropped. `examples` are the first ids.
    """
    return db.sql("""
        WITH reasons AS (SELECT sample_id, dropped_by, failed, unnest(failed) AS rule FROM verdicts)
        SELECT rule, source, count(*) AS fail,
               count(*) FILTER (rule = dropped_by) AS dropped,
               count(*) FILTER (len(failed) = 1) AS alone,
               min(sample_id, 3) AS examples
        FROM reasons JOIN samples USING (sample_id)
        GROUP BY ALL
        ORDER BY fail DESC, rule, source
    """)


def quarantine(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Rows that a stage could not process, with messages of each kind of error."""
    return db.sql("""
        SELECT stage, error, source, count(*) AS rows, min(message, 3) AS examples
        FROM quarantine
        GROUP BY ALL
        ORDER BY rows DESC, stage, error, source
    """)


def costs(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Rollouts and tokens by arm; attempts of one request share its prompt, counted once."""
    return db.sql("""
        SELECT arm, count(*) AS rollouts, any_value(planned) AS planned,
               sum(len(turns))::BIGINT AS turns,
               sum(list_sum(list_transform(turns, lambda t: t.prompt_tokens)))::BIGINT
                   AS prompt_tokens,
               sum(list_sum(list_transform(turns, lambda t: t.completion_tokens)))::BIGINT
                   AS completion_tokens,
               round(completion_tokens / count(*), 1) AS completion_tokens_each,
               round(median(seconds), 2) AS median_seconds
        FROM rollouts
        LEFT JOIN (SELECT arm, sum(planned)::BIGINT AS planned FROM counts GROUP BY arm) USING (arm)
        GROUP BY arm
        ORDER BY arm
    """)


def pass_rates(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Samples by arm, share of scored attempts that are right, and source."""
    # Unscored attempts leave odd shares such as 3/7: the nearest eighth keeps the bars apart.
    return db.sql("""
        SELECT arm, round(correct / (correct + wrong) * 8) / 8 AS share, source,
               count(*) AS samples
        FROM counts JOIN samples USING (sample_id)
        WHERE correct + wrong > 0
        GROUP BY ALL
        ORDER BY ALL
    """)


def benefits(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Tool benefit with its interval: source, low, benefit, high; of a source with many samples
    evenly spaced ones in the order of their benefit."""
    return db.sql(f"""
        WITH ranked AS (
            SELECT source, tool_benefit_low AS low, tool_benefit AS benefit,
                   tool_benefit_high AS high, count(*) OVER (PARTITION BY source) AS n,
                   row_number() OVER (PARTITION BY source ORDER BY tool_benefit, sample_id) AS i
            FROM benefits JOIN samples USING (sample_id)
            WHERE tool_benefit_low IS NOT NULL AND tool_benefit_high IS NOT NULL
        )
        SELECT source, low, benefit, high FROM ranked
        WHERE n <= {SHOWN_INTERVALS}
           OR i * {SHOWN_INTERVALS} // n > (i - 1) * {SHOWN_INTERVALS} // n
        ORDER BY source, benefit, i
    """)


def gains(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """What tools change, source by source, on the samples that were tried with them."""
    return db.sql("""
        SELECT source, count(*) AS samples,
               round(avg(direct_pass_rate), 3) AS direct,
               round(avg(tools_pass_rate), 3) AS tools,
               round(avg(tool_benefit), 3) AS benefit,
               round(avg(tool_gain), 3) AS gain, round(avg(tool_harm), 3) AS harm,
               count(*) FILTER (tool_benefit > 0) AS helped,
               count(*) FILTER (tool_benefit = 0) AS same,
               count(*) FILTER (tool_benefit < 0) AS harmed,
               count(*) FILTER (tool_benefit_low > 0) AS surely_helped,
               count(*) FILTER (tool_benefit_high < 0) AS surely_harmed
        FROM benefits JOIN samples USING (sample_id)
        WHERE tool_benefit IS NOT NULL
        GROUP BY source
        ORDER BY source
    """)


def turns(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Rollouts by arm, turns and source, of the arms that take more than one turn."""
    return db.sql("""
        WITH counted AS (
            SELECT arm, len(turns) AS turns, source, count(*) AS rollouts
            FROM rollouts JOIN samples USING (sample_id)
            GROUP BY ALL
        )
        FROM counted QUALIFY max(turns) OVER (PARTITION BY arm) > 1 ORDER BY ALL
    """)


def tools(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Executed actions by tool and arm; a complaint told to the model is a line of its own."""
    return db.sql("""
        WITH acted AS (SELECT arm, unnest(turns).call AS call FROM rollouts), named AS (
            SELECT call.name || if(call.error IS NULL, '', ': error') AS tool, arm
            FROM acted
            WHERE call IS NOT NULL
        )
        SELECT tool, arm, count(*) AS calls
        FROM named
        GROUP BY tool, arm
        ORDER BY sum(count(*)) OVER (PARTITION BY tool) DESC, tool, arm
    """)


def lengths(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Replies by arm, power of two of their tokens (5 stands for 32 to 63), and source."""
    return db.sql("""
        WITH replies AS (
            SELECT arm, source, unnest(turns).completion_tokens AS tokens
            FROM rollouts JOIN samples USING (sample_id)
        )
        SELECT arm, floor(log2(greatest(tokens, 1)))::INT AS power, source, count(*) AS replies
        FROM replies
        GROUP BY ALL
        ORDER BY ALL
    """)


def checks(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """What every check found; one that does not apply speaks against nothing, except that an answer
    which could not be graded is not taken for right."""
    return db.sql(f"""
        SELECT "check", count(*) AS rollouts,
               count(*) FILTER (passed) AS passed,
               count(*) FILTER (NOT passed) AS failed,
               count(*) FILTER (passed IS NULL) AS not_applicable,
               coalesce(min(rollout_id, 3) FILTER (NOT {HOLDS}), []) AS examples
        FROM verifications
        GROUP BY "check"
        ORDER BY failed DESC, "check"
    """)


def outcomes(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Rollouts of the teacher by what became of them, and source."""
    return db.sql(f"""
        WITH judged AS (
            SELECT rollout_id, sample_id, bool_and({HOLDS}) AS verified
            FROM verifications
            GROUP BY ALL
        )
        SELECT CASE WHEN trajectories.rollout_id IS NOT NULL THEN 'verified: trajectory'
                    WHEN verified THEN 'verified: not chosen' ELSE 'rejected' END AS outcome,
               source, count(*) AS rollouts
        FROM judged JOIN samples USING (sample_id) LEFT JOIN trajectories USING (rollout_id)
        GROUP BY ALL
        ORDER BY outcome DESC, source
    """)


def tool_calls(db: DuckDBPyConnection) -> DuckDBPyRelation:
    """Trajectories by how often the teacher acted, and source."""
    return db.sql("""
        SELECT 'tool calls: ' || tool_calls AS acted, source, count(*) AS trajectories
        FROM trajectories JOIN samples USING (sample_id)
        GROUP BY tool_calls, source
        ORDER BY tool_calls, source
    """)
