//! Statements whose checks can be switched off in the test-only build (docs/spec-coverage.md).

use keystile_protocol::mutation::weakened;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The statement; while the mutation of a row is on, its condition is replaced. A release build
/// knows no mutation and always takes the statement as it stands.
pub(crate) fn statement(sql: &'static str, checks: &[(&str, &str, &str)]) -> SqlStr {
    for (row, condition, instead) in checks {
        if weakened(row) {
            debug_assert!(
                sql.contains(condition),
                "{row} names no condition of the statement"
            );
            return AssertSqlSafe(sql.replace(condition, instead)).into_sql_str();
        }
    }
    sql.into_sql_str()
}
