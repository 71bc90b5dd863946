//! The safe way to the same schema, in words that can be typed.

use super::fold::Judged;
use super::layout::Layout;
use super::statement::{Action, Rule, Statement};
use super::verdict::Work;

pub fn advice(judged: &Judged) -> String {
    if judged.dialect.is_mysql() {
        return mysql(judged);
    }
    match &judged.parsed {
        Statement::CreateIndex(index) if index.concurrently => outside(judged.layout).to_owned(),
        Statement::CreateIndex(_) => format!("CREATE INDEX CONCURRENTLY, {}", outside(judged.layout)),
        Statement::DropIndex { .. } => outside(judged.layout).to_owned(),
        Statement::Reindex { .. } => format!("REINDEX … CONCURRENTLY, {}", outside(judged.layout)),
        Statement::Refresh { .. } => "REFRESH MATERIALIZED VIEW CONCURRENTLY, with a unique index on the view: reads go on".into(),
        Statement::Cluster { .. } | Statement::Vacuum { .. } => "pg_repack does the same while everybody works".into(),
        Statement::AddValue { .. } => "put it into a migration of its own, outside of a transaction".into(),
        Statement::Dml(_) => "add the value in a migration before this one".into(),
        Statement::CreateTable(_) => "create the table by itself, add a CHECK of its bounds, and ATTACH it: the default partition is read in any case, so keep it empty".into(),
        Statement::AlterDomain { .. } => "ADD CONSTRAINT … NOT VALID takes no lock; what exists is checked by VALIDATE, under SHARE: at a quiet hour".into(),
        Statement::AlterTable { actions, .. } => actions.iter().find_map(|action| for_action(action, judged)).unwrap_or_else(|| "at a quiet hour, with a lock_timeout".into()),
        _ => "at a quiet hour, with a lock_timeout".into(),
    }
}

/// How a tool is told to run a file outside of a transaction.
fn outside(layout: Layout) -> &'static str {
    match layout {
        Layout::Goose => "in a file with `-- +goose NO TRANSACTION`",
        Layout::Dbmate => "alone in a file with `-- migrate:up transaction:false`",
        Layout::Flyway => "in a file with `executeInTransaction=false` in its .conf",
        Layout::Sqlx => "alone in a file that begins with `-- no-transaction`",
        Layout::Diesel => "alone in a migration with `run_in_transaction = false` in its metadata.toml",
        Layout::Kratos => "alone in an `.autocommit.` file",
        Layout::GolangMigrate | Layout::Prisma => "alone in a migration of its own",
        Layout::Plain => "outside of a transaction",
    }
}

fn for_action(action: &Action, judged: &Judged) -> Option<String> {
    let version = "VALIDATE it in a later migration: that blocks nobody";
    Some(match action {
        Action::AddConstraint(constraint) => match &constraint.rule {
            Rule::Check(_) | Rule::Foreign(_) | Rule::NotNull if constraint.valid => format!("ADD CONSTRAINT … NOT VALID, and {version}"),
            Rule::Unique if constraint.using_index.is_none() => format!(
                "CREATE UNIQUE INDEX CONCURRENTLY {}, then ADD CONSTRAINT … UNIQUE USING INDEX",
                outside(judged.layout)
            ),
            Rule::Primary => format!(
                "CREATE UNIQUE INDEX CONCURRENTLY {} over columns that are NOT NULL, then ADD PRIMARY KEY USING INDEX",
                outside(judged.layout)
            ),
            Rule::Exclude => "there is no way without the lock: at a quiet hour, with a lock_timeout".into(),
            _ => return None,
        },
        Action::SetNotNull { column } => format!(
            "ADD CONSTRAINT … CHECK ({column} IS NOT NULL) NOT VALID, VALIDATE it in a later migration, then SET NOT NULL, which reads no row any more"
        ),
        Action::AddColumn { column, .. } => {
            let filled = column.column.default.is_some() || column.column.identity || column.column.ty.base.ends_with("serial");
            if column.column.generated.is_some() {
                "add a plain column, and let a trigger and batches fill it".into()
            } else if judged.verdict.refused.is_some() && !filled {
                "give it a constant DEFAULT; or add it without NOT NULL, fill it in batches, and SET NOT NULL by a validated CHECK".into()
            } else if judged.work == Work::Rewrite && filled {
                "add it without the default, SET DEFAULT, fill old rows in batches".into()
            } else if judged.work == Work::Build {
                format!("add the column, CREATE UNIQUE INDEX CONCURRENTLY {}, then ADD CONSTRAINT … USING INDEX", outside(judged.layout))
            } else if matches!(judged.work, Work::Scan | Work::Rewrite) {
                format!("add the column without the constraint, then ADD CONSTRAINT … NOT VALID, and {version}")
            } else {
                return None;
            }
        }
        Action::Type { .. } if judged.verdict.refused.is_some() => "drop the view, change the type, and create the view again, in one transaction".into(),
        Action::Type { .. } | Action::SetExpression { .. } if judged.work != Work::None => {
            "expand, then contract: new column, write both, backfill, drop the old".into()
        }
        Action::Attach { .. } => "first ADD CONSTRAINT … CHECK of the bounds NOT VALID on the partition, and VALIDATE it: ATTACH then reads no row of it".into(),
        Action::Detach { .. } => "DETACH PARTITION … CONCURRENTLY, outside of a transaction, where there is no default partition".into(),
        _ => return None,
    })
}

fn mysql(judged: &Judged) -> String {
    let Statement::AlterTable { actions, .. } = &judged.parsed else {
        return "at a quiet hour, or with gh-ost or pt-online-schema-change".into();
    };
    let checks =
        actions.iter().any(|action| matches!(action, Action::AddConstraint(c) if matches!(c.rule, Rule::Check(_))));
    if judged.verdict.refused.is_some() {
        return "name the algorithm that is possible, or none".into();
    }
    if checks && actions.len() > 1 {
        return "two statements: the columns by themselves are INSTANT, the CHECK alone copies the table".into();
    }
    if actions.iter().any(|action| matches!(action, Action::AddConstraint(c) if matches!(c.rule, Rule::Foreign(_)))) {
        return "SET foreign_key_checks = 0 before it, when the rows are known to be right: no row is copied then"
            .into();
    }
    "with gh-ost or pt-online-schema-change; or expand, then contract: a new column, filled in batches".into()
}
