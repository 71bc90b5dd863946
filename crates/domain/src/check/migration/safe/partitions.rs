//! What a partitioned table gets one partition at a time.

use super::super::catalog::Catalog;
use super::super::split::Piece;
use super::super::statement::{Constraint, CreateIndex, Kind, Name, Rule};
use super::{Run, Step, Way, Writer, quoted};

const NOT_READ: &str = "the statement is not understood to its end";
const NOT_KNOWN: &str = "no migration creates its partitions: which there are is not known";
const NAMES: &str = "the names that the server gives to the parts are taken, too long, or of partitioned partitions";

/// The index of the whole stays invalid until each partition's own, built beside the writes, is attached. They get the
/// names that the server would have given them.
pub(super) fn index(catalog: &Catalog, piece: &Piece<'_>, index: &CreateIndex) -> Way<Vec<Step>> {
    let name = index.name.as_ref().ok_or("the server names the index")?;
    let at = piece.tokens.iter().position(|token| token.is("on")).ok_or(NOT_READ)?;
    let mut last = at + 1;
    while piece.tokens.get(last + 1).ok_or(NOT_READ)?.is(".") {
        last += 2;
    }
    let from = piece.tokens.first().ok_or(NOT_READ)?.at;
    let head = &piece.text[..piece.tokens[at].end() - from];
    let table = piece.text[piece.tokens[at + 1].at - from..piece.tokens[last].end() - from].trim();
    let rest = &piece.text[piece.tokens[last].end() - from..];
    let mut steps = vec![Step { run: Run::Together, sql: format!("{head} ONLY {table}{rest}") }];
    let mut attach = vec![];
    for child in &catalog.get(&index.table).ok_or(NOT_READ)?.children {
        let short = child.rsplit('.').next().unwrap_or(child);
        let own = format!("{short}_{}_idx", index.columns.join("_"));
        let taken = catalog.indexes.contains_key(&own) || own.len() > 63 || child.contains('.');
        if taken || catalog.is(child, Kind::Partitioned) || index.columns.is_empty() || rest.matches('(').count() != 1 {
            return Err(NAMES);
        }
        let unique = if index.unique { "UNIQUE " } else { "" };
        let (own, child) = (quoted(&own), quoted(child));
        let sql = format!("CREATE {unique}INDEX CONCURRENTLY {own} ON {child}{rest}");
        steps.push(Step { run: Run::Outside, sql });
        attach.push(format!("ALTER INDEX {} ATTACH PARTITION {own}", quoted(name)));
    }
    // The partitions that a job makes are not known here.
    let runs = [Run::After].into_iter().chain(std::iter::repeat(Run::Together));
    steps.extend(runs.zip(attach).map(|(run, sql)| Step { run, sql }));
    if steps.len() > 1 { Ok(steps) } else { Err(NOT_KNOWN) }
}

impl Writer<'_> {
    /// UNIQUE and PRIMARY KEY: of the whole alone, then an index for each partition, attached.
    pub(super) fn key_of_partitions(&mut self, constraint: &Constraint, name: &str, columns: &str) -> Way<()> {
        let is_primary = constraint.rule == Rule::Primary;
        let kind = if is_primary { "PRIMARY KEY" } else { "UNIQUE" };
        self.step(Run::Together, format!("ALTER TABLE ONLY {} ADD CONSTRAINT {name} {kind} ({columns})", self.table));
        let partitions = self.partitions()?;
        let own: Vec<String> = partitions
            .iter()
            .map(|child| {
                if is_primary {
                    format!("{child}_pkey")
                } else {
                    format!("{child}_{}_key", constraint.columns.join("_"))
                }
            })
            .collect();
        if own.iter().any(|own| own.len() > 63 || self.catalog.indexes.contains_key(own)) {
            return Err(NAMES);
        }
        let pairs: Vec<(String, String)> =
            partitions.iter().zip(&own).map(|(child, own)| (quoted(child), quoted(own))).collect();
        for (child, own) in &pairs {
            self.step(Run::Outside, format!("CREATE UNIQUE INDEX CONCURRENTLY {own} ON {child} ({columns})"));
        }
        for (n, (child, own)) in pairs.iter().enumerate() {
            let run = if n == 0 { Run::After } else { Run::Together };
            self.step(run, format!("ALTER TABLE {child} ADD CONSTRAINT {own} {kind} USING INDEX {own}"));
            self.step(Run::Together, format!("ALTER INDEX {name} ATTACH PARTITION {own}"));
        }
        Ok(())
    }

    /// The server takes the proven key of each partition for a part of the whole's.
    pub(super) fn foreign_key_of_partitions(&mut self, constraint: &Constraint, name: &str) -> Way<()> {
        let partitions = self.partitions()?;
        for child in &partitions {
            let child = quoted(child);
            self.step(
                Run::Together,
                format!("ALTER TABLE {child} ADD CONSTRAINT {name} {} NOT VALID", constraint.text),
            );
        }
        for child in &partitions {
            self.step(Run::After, format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", quoted(child)));
        }
        self.alter(Run::After, &format!("ADD CONSTRAINT {name} {}", constraint.text));
        Ok(())
    }

    fn partitions(&self) -> Way<Vec<Name>> {
        let children = self.catalog.get(self.name).map(|whole| whole.children.clone()).unwrap_or_default();
        if children.is_empty() {
            return Err(NOT_KNOWN);
        }
        let has_parts = |child: &Name| child.contains('.') || self.catalog.is(child, Kind::Partitioned);
        if children.iter().any(has_parts) { Err(NAMES) } else { Ok(children) }
    }
}
